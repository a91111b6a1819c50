"""Tokens as JSON. The secret is in one answer only: the one to its creation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import fields, validate

from app.api.schemas import limits
from app.api.schemas.base import CamelSchema, Instant, Whole, obeys, page_schema
from app.models.token import Permission, Token
from app.services.tool_rules import line

OVERLAP_SECONDS_MOST = 86_400
PERMISSIONS_MOST = 100
PERMISSIONS = [str(permission) for permission in Permission]


class NewToken(CamelSchema):
    """What a token will allow, whose it is and when it ends."""

    permissions = fields.List(
        fields.String(metadata={"enum": PERMISSIONS}),
        required=True,
        validate=validate.Length(max=PERMISSIONS_MOST),
        metadata={"example": ["job_submit", "job_run_read"]},
    )
    owner = fields.String(
        load_default=None,
        allow_none=True,
        validate=obeys(line),
        metadata={"description": "The caller's, if left out.", **limits.LINE},
    )
    expires_at = Instant(
        load_default=None,
        allow_none=True,
        metadata={"description": "With its zone; never, if left out.", "example": "2030-01-01T00:00:00Z"},
    )


class Rotation(CamelSchema):
    """How long the secret before still counts."""

    overlap_seconds = Whole(
        load_default=0,
        validate=validate.Range(0, OVERLAP_SECONDS_MOST),
        metadata={"description": "Seconds; 0 makes it worthless at once.", "example": 3600},
    )


class Whoami(CamelSchema):
    """Whose token it is and what it allows."""

    identifier = fields.String(metadata={"example": "root"})
    owner = fields.String(metadata={"example": "operator"})
    permissions = fields.List(fields.String(metadata={"enum": PERMISSIONS}))
    expires_at = fields.AwareDateTime(allow_none=True)


class TokenSchema(Whoami):
    """A token without its secret."""

    created_by = fields.String()
    created_time = fields.AwareDateTime(attribute="created_at")
    last_used_time = fields.AwareDateTime(attribute="last_used_at", allow_none=True)
    previous_valid_until = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Until when the secret before the last rotation counts."}
    )


@dataclass(frozen=True)
class NewSecret:
    """A token as it is stored, and its text, which is stored nowhere."""

    stored: Token
    text: str


class CreatedToken(TokenSchema):
    """A new token with its secret, shown this once."""

    token = fields.String(metadata={"example": "mao_laptop_..."})

    def get_attribute(self, obj: NewSecret, attr: str, default: Any) -> Any:
        """Read the text from the pair, everything else from what is stored."""
        return obj.text if attr == "token" else super().get_attribute(obj.stored, attr, default)


TokenPage = page_schema(TokenSchema, "TokenPage")
