"""Who may call what. A view declares its rule; one gate in front of all views enforces it, and denies by default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from flask import Flask, current_app, request

from app.api.blueprint import Blueprint, Decorator, View
from app.api.context import remember_identity, services
from app.errors import DatabaseDown, Forbidden, Unauthenticated
from app.models.token import Identity, Permission

SCHEMES: dict[str, dict[str, str]] = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Api-Token"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


class Changes(Enum):
    """Where the truth lies that a view changes; a GET changes nothing, whatever it says."""

    NOTHING = auto()
    POSTGRES = auto()
    ELSEWHERE = auto()


@dataclass(frozen=True)
class Access:
    """The rule of one view. Any one of ``permissions`` is enough; none listed means that any valid token is."""

    permissions: tuple[Permission, ...] = ()
    needs_token: bool = True
    is_open_in_outage: bool = False
    changes: Changes = Changes.ELSEWHERE

    def allows(self, who: Identity) -> bool:
        """Tell whether the identity holds one of the permissions."""
        return not self.permissions or any(who.may(permission) for permission in self.permissions)


def requires(
    *permissions: Permission, is_open_in_outage: bool = False, changes: Changes = Changes.ELSEWHERE
) -> Decorator:
    """Declare that a view needs a token with one of the permissions, or any valid token where none is named.

    ``is_open_in_outage`` lets a caller through whose token cannot be checked because the database is down. ``changes``
    decides how the audit log records a call: not at all, in the order of PostgreSQL's own log, or on the disk first.
    """
    names = " or ".join(f"`{permission}`" for permission in permissions)
    needed = f"a token with the permission {names}" if names else "a valid token"
    documented = {
        "responses": {"401": "UNAUTHORIZED", "403": "FORBIDDEN"} if permissions else {"401": "UNAUTHORIZED"},
        "x-permissions": [str(permission) for permission in permissions],
    }
    access = Access(permissions, is_open_in_outage=is_open_in_outage, changes=changes)
    return _declares(access, f"Needs {needed}.", documented)


def public(view: View) -> View:
    """Declare that a view needs no token."""
    return _declares(Access(needs_token=False), "Needs no token.", {"security": []})(view)


def _declares(access: Access, sentence: str, documented: dict[str, Any]) -> Decorator:
    def declare(view: View) -> View:
        summary, _, rest = (view.__doc__ or "").strip().partition("\n")
        text = {"summary": summary, "description": f"{rest.strip()}\n\n{sentence}".strip()}
        declared: View = Blueprint.doc(**text, **documented)(view)
        declared.access = access  # type: ignore[attr-defined]
        return declared

    return declare


def access_of(endpoint: str, app: Flask) -> Access | None:
    """Give the rule that the endpoint's view declares, or None."""
    return getattr(app.view_functions[endpoint], "access", None)


def enforce() -> None:
    """Let the request pass if the rule of its view allows it; a view without a rule is closed to everybody.

    Raises:
        Unauthenticated: no valid token.
        Forbidden: the token lacks the permission, or the view declares no rule.
    """
    if request.endpoint is None:
        return
    access = access_of(request.endpoint, current_app)
    if access is None:
        raise Forbidden("This address is closed: it declares nobody who may use it.")
    if access.needs_token:
        _admit(access)


def _admit(access: Access) -> None:
    secret = shown_secret()
    if not secret:
        raise Unauthenticated(
            "This call needs a token.", hint="Send one as X-Api-Token, or as Authorization: Bearer; see /api/docs."
        )
    try:
        who = services().tokens.authenticate(secret)
    except DatabaseDown:
        if access.is_open_in_outage:
            return
        raise
    remember_identity(who)
    if not access.allows(who):
        needed = " or ".join(access.permissions)
        raise Forbidden(
            f"The token '{who.identifier}' may not do this.", hint=f"Use a token with the permission {needed}."
        )


def shown_secret() -> str:
    """Give the token that the request shows, or nothing."""
    if given := request.headers.get("X-Api-Token"):
        return given
    authorization = request.authorization
    if authorization is not None and authorization.type == "bearer" and authorization.token:
        return authorization.token
    return ""
