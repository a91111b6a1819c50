"""Revisions of registry entries as ETags: sent with every entry, asked for by ``If-Match`` on every change."""

from __future__ import annotations

import re
from typing import Any

from flask import request

from app.errors import StaleRevision

IF_MATCH: dict[str, Any] = {
    "in": "header",
    "name": "If-Match",
    "description": "The ETag of the entry as it was read.",
    "schema": {"type": "string"},
    "example": '"42"',
}
ETAG: dict[str, Any] = {
    "ETag": {"description": "The revision of the entry.", "schema": {"type": "string"}, "example": '"42"'}
}


def etag(revision: int) -> dict[str, str]:
    """Give the header that tells an entry's revision."""
    return {"ETag": f'"{revision}"'}


def if_match() -> int | None:
    """Give the revision that the caller says it has read, or None where it says nothing.

    Raises:
        StaleRevision: what it says can be no revision of ours.
    """
    given = request.headers.get("If-Match")
    if given is None:
        return None
    found = re.fullmatch(r'"?([0-9]{1,18})"?', given.strip())
    if found is None:
        raise StaleRevision(
            "If-Match names no revision of this entry.", hint="Send the ETag of the entry exactly as it was read."
        )
    return int(found[1])
