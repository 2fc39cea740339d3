"""Pages of lists: tokens that say where the next page begins. They are opaque, and grant no rights."""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from server.api.checks import Checker

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page begins and how long it may be.

    Attributes:
        after: The last entry of the page before; empty for the first page.
        size: Entries at most.
    """

    after: str
    size: int


def page(check: Checker, page_size: int, page_token: str, *listed: str) -> Page:
    """Return the page that a request asks for.

    Args:
        check: Notes what is wrong.
        page_size: As sent.
        page_token: As sent.
        listed: What the list is of; a token of another list is refused.
    """
    check.count("page_size", page_size)
    size = min(page_size or DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)
    if not page_token:
        return Page("", size)
    try:
        digest, after = json.loads(base64.urlsafe_b64decode(page_token.encode()))
        known = isinstance(after, str) and digest == _digest(listed)
    except (ValueError, TypeError, binascii.Error):
        known = False
    if not known:
        check.add("page_token", "is not a next_page_token of this list; leave it out to begin anew")
        return Page("", size)
    return Page(after, size)


def next_page_token(after: str, *listed: str) -> str:
    """Return the token of the page that begins after an entry."""
    return base64.urlsafe_b64encode(json.dumps([_digest(listed), after]).encode()).decode()


def _digest(listed: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(listed).encode()).hexdigest()[:16]
