"""Names as parts of addresses."""

from __future__ import annotations

from urllib.parse import quote

from cli.errors import WrongUse


def segment(name: str) -> str:
    """Give ``name`` as one segment of a path; quoting alone would let ``..`` climb to another endpoint.

    Raises:
        WrongUse: it cannot be a segment.
    """
    if name in ("", ".", ".."):
        raise WrongUse(f"'{name}' is not a name.")
    return quote(name, safe="")
