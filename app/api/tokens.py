"""Tokens: who is asking, and who may ask."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.schemas.tokens import CreatedToken, NewSecret, NewToken, TokenSchema, Whoami
from app.api.security import requires
from app.models.token import Permission

blueprint = Blueprint("security", __name__, url_prefix="/api/security", description="Tokens.")


@blueprint.route("/whoami")
@requires()
@blueprint.response(200, Whoami)
def whoami() -> Any:
    """Show whose token this is and what it allows."""
    return services().tokens.get(identity().identifier)


@blueprint.route("/tokens/<identifier>")
@requires(Permission.SECURITY_TOKEN_WRITE)
@blueprint.response(200, TokenSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def get_token(identifier: str) -> Any:
    """Show a token; never its secret."""
    return services().tokens.get(identifier)


@blueprint.route("/tokens/<identifier>", methods=["POST"])
@requires(Permission.SECURITY_TOKEN_WRITE)
@blueprint.arguments(NewToken)
@blueprint.response(201, CreatedToken)
def create_token(values: dict[str, Any], identifier: str) -> Any:
    """Make a token; one with the same identifier is replaced, and its secret is worth nothing from then on.

    Nobody can grant what they do not hold. The secret is in this answer only.
    """
    return NewSecret(*services().tokens.create(identity(), identifier, **values))


@blueprint.route("/tokens/<identifier>", methods=["DELETE"])
@requires(Permission.SECURITY_TOKEN_WRITE)
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
def revoke_token(identifier: str) -> None:
    """Revoke a token; it is refused from the next call on."""
    services().tokens.revoke(identity(), identifier)
