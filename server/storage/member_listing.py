"""Every member that the SQLite file knows, with what segments may ask about her."""

from collections.abc import Iterator, Mapping

from server.members.document import profile_from_json
from server.members.state import PURCHASE, REDEMPTION
from server.storage.read_pool import ReadPool

_AT_ONCE = 5_000
_LISTED = f"""
    SELECT m.member_id,
        (SELECT c.after FROM member_changes AS c WHERE c.programme = m.programme AND c.member_id = m.member_id
         ORDER BY c.member_version DESC LIMIT 1),
        (SELECT count(*) FROM outcomes AS o WHERE o.programme = m.programme AND o.member_id = m.member_id
         AND o.outcome_type = '{PURCHASE}'),
        (SELECT count(*) FROM outcomes AS o WHERE o.programme = m.programme AND o.member_id = m.member_id
         AND o.outcome_type = '{REDEMPTION}')
    FROM members AS m WHERE m.programme = ? AND m.member_id > ? ORDER BY m.member_id LIMIT {_AT_ONCE}
"""  # noqa: S608 names are ours


class MemberListing(ReadPool):
    """Lists members, some at a time, so that a million need not fit into memory."""

    def members(self, programme: str) -> Iterator[Mapping[str, object]]:
        """Yield what segments may ask about each member, by name; what is not known of her is not there.

        Raises:
            StoreUnavailableError: They cannot be read.
        """
        last = ""
        while rows := self._rows(_LISTED, programme, last):
            for _, profile, purchases, redemptions in rows:
                yield _attributes(profile, purchases, redemptions)
            last = rows[-1][0]


def _attributes(profile: str | None, purchases: int, redemptions: int) -> dict[str, object]:
    attributes: dict[str, object] = {"purchase_count": purchases, "redemption_count": redemptions}
    if profile is not None:
        said = profile_from_json(profile)
        attributes = {**said.attributes, **attributes}
        if said.tier:
            attributes["tier"] = said.tier
        if said.points_balance is not None:
            attributes["points_balance"] = said.points_balance
    return attributes
