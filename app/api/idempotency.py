"""The header by which a request that makes a run can be sent again without making a second one."""

from __future__ import annotations

import re
from typing import Any

from flask import request

from app.errors import Invalid

KEY_LENGTH = 255
IDEMPOTENCY_KEY: dict[str, Any] = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "A fresh name for this request. Sent again with the same body, it makes no second run.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": "^[!-~]+$"},
    "example": "0d0f6f0e5a0c4f0f8d5a",
}


def idempotency_key() -> str | None:
    """Give the key that the caller chose for this request, or None.

    Raises:
        Invalid: it is empty, too long, or has other characters than visible ones of ASCII.
    """
    given = request.headers.get("Idempotency-Key")
    if given is not None and not re.fullmatch(f"[!-~]{{1,{KEY_LENGTH}}}", given):
        rule = f"Must be 1 to {KEY_LENGTH} visible characters of ASCII, without blanks."
        raise Invalid("The idempotency key breaks a rule.", fields={"Idempotency-Key": [rule]})
    return given
