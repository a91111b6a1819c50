"""How much a request may hold, as the description tells it. What enforces it are the rules of the services.

Where no rule does, the field has a validator of its own; a test compares every field with this.
"""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from app.services.tool_rules import (
    ARGUMENT_LENGTH,
    DESCRIPTION_LENGTH,
    KEY_COLUMNS,
    LIST_LENGTH,
    LOCKS,
    METRICS,
    RETRIES,
    TEXT_LENGTH,
    TIMEOUT_SECONDS,
)

NAME_LENGTH = 63
WORD_LENGTH = 255
"""Of a word that something is searched by."""

NAME = {"maxLength": NAME_LENGTH}
LINE = {"maxLength": TEXT_LENGTH}
PROSE = {"maxLength": DESCRIPTION_LENGTH}
COMMAND = {"maxItems": LIST_LENGTH}
ENV = LABELS = {"maxProperties": LIST_LENGTH}
HELD = {"maxItems": LOCKS}
COLUMNS = {"maxItems": KEY_COLUMNS}
JUDGED = {"maxProperties": METRICS}


def between(lowest: float, highest: float) -> dict[str, Any]:
    """Give the description of a number's range."""
    return {"minimum": lowest, "maximum": highest}


DURATION = between(*TIMEOUT_SECONDS)
REPEATED = between(*RETRIES)


def argument() -> fields.String:
    """Give the field for a word of a command, or for a variable's value."""
    return fields.String(metadata={"maxLength": ARGUMENT_LENGTH})


def line() -> fields.String:
    """Give the field for one line of text within a list or an object."""
    return fields.String(metadata=LINE)


def name() -> fields.String:
    """Give the field for a name within a list."""
    return fields.String(metadata=NAME)
