"""How results show themselves: in one line at a prompt, in a few in a notebook."""

from html import escape


class Displayed:
    """A result whose ``summary`` stands for its many figures; for dataclasses with ``repr=False``."""

    __slots__ = ()

    def summary(self) -> str:
        """Return the result in a few lines of plain text."""
        raise NotImplementedError

    def __repr__(self) -> str:
        first = self.summary().partition("\n")[0]
        return f"<{type(self).__name__}: {first}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.summary())}</pre>"
