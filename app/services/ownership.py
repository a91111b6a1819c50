"""Who may change which entry of the registry, in one place for tools and data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.errors import Forbidden, Invalid, RevisionRequired
from app.models.token import Identity, Permission


def check_may_register(identity: Identity) -> None:
    """Let a holder of one of the registry's permissions pass.

    Raises:
        Forbidden: the token holds neither.
    """
    if not (identity.may(Permission.REGISTRY_WRITE) or identity.may(Permission.REGISTRY_ADMIN)):
        raise Forbidden(
            f"The token '{identity.identifier}' may not write to the registry.",
            hint=f"Use a token with the permission {Permission.REGISTRY_WRITE}.",
        )


def check_may_change(identity: Identity, *, node: str, owner: str, what: str) -> None:
    """Let the node that registered the entry pass, and whoever administers the registry.

    Raises:
        Forbidden: another node owns it.
    """
    check_may_register(identity)
    if owner != node and not identity.may(Permission.REGISTRY_ADMIN):
        raise Forbidden(
            f"{what} belongs to the node '{owner}', and this is the node '{node}'.",
            hint=f"Change it there, or use a token with the permission {Permission.REGISTRY_ADMIN}.",
        )


def required_revision(revision: int | None, what: str) -> int:
    """Give the revision that the caller has read.

    Raises:
        RevisionRequired: the caller names none.
    """
    if revision is None:
        raise RevisionRequired(
            f"{what} can only be changed by who says which revision of it was read.",
            hint="Read it, and send the ETag of the answer as If-Match.",
        )
    return revision


def named(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Give the values with the name of the entry that they replace.

    Raises:
        Invalid: the values name another entry.
    """
    if values.get("name", name) != name:
        rule = f"Must be '{name}' or left out; an entry cannot be renamed."
        raise Invalid("The entry names another one than the address does.", fields={"name": [rule]})
    return {**values, "name": name}
