"""Tokens: who is asking, and who may ask."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.pages import page
from app.api.schemas.base import PageQuery
from app.api.schemas.tokens import CreatedToken, NewSecret, NewToken, Rotation, TokenPage, TokenSchema, Whoami
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("security", __name__, url_prefix="/api/security", description="Tokens.")


@blueprint.route("/whoami")
@requires()
@blueprint.response(200, Whoami)
def whoami() -> Any:
    """Show whose token this is and what it allows."""
    return services().tokens.get(identity(), identity().identifier)


@blueprint.route("/tokens")
@requires(Permission.SECURITY_TOKEN_WRITE)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TokenPage)
def list_tokens(query: dict[str, Any]) -> Any:
    """List the tokens, in the order of their identifiers; never their secrets.

    Without `registry_admin` only the tokens of one's owner are listed, here and in the calls below.
    """
    return page(
        lambda after, limit: services().tokens.list(identity(), after=after, limit=limit),
        query["cursor"],
        query["limit"],
        key=lambda token: token.identifier,
    )


@blueprint.route("/tokens/<identifier>")
@requires(Permission.SECURITY_TOKEN_WRITE)
@blueprint.response(200, TokenSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def get_token(identifier: str) -> Any:
    """Show a token; never its secret."""
    return services().tokens.get(identity(), identifier)


@blueprint.route("/tokens/<identifier>", methods=["POST"])
@requires(Permission.SECURITY_TOKEN_WRITE, changes=Changes.POSTGRES)
@blueprint.arguments(NewToken)
@blueprint.response(201, CreatedToken)
@blueprint.alt_response(409, "CONFLICT")
def create_token(values: dict[str, Any], identifier: str) -> Any:
    """Make a token; one with the same identifier is replaced, and its secret is worth nothing from then on.

    Nobody can grant what they do not hold. The secret is in this answer only.
    """
    return NewSecret(*services().tokens.create(identity(), identifier, **values))


@blueprint.route("/tokens/<identifier>", methods=["DELETE"])
@requires(Permission.SECURITY_TOKEN_WRITE, changes=Changes.POSTGRES)
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
def revoke_token(identifier: str) -> None:
    """Revoke a token; it is refused from the next call on."""
    services().tokens.revoke(identity(), identifier)


@blueprint.route("/tokens/<identifier>/rotate", methods=["POST"])
@requires(changes=Changes.POSTGRES)
@blueprint.arguments(Rotation, required=False)
@blueprint.response(200, CreatedToken)
@blueprint.alt_response(403, "FORBIDDEN")
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def rotate_token(values: dict[str, Any], identifier: str) -> Any:
    """Give a token a new secret, which is in this answer only; the one before counts for `overlapSeconds` more.

    A token may rotate itself; others need `security_token_write`.
    """
    return NewSecret(*services().tokens.rotate(identity(), identifier, **values))
