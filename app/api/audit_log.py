"""The audit log: who changed what."""

from __future__ import annotations

from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.pages import page
from app.api.schemas.audit import AuditPage, AuditQuery
from app.api.security import requires
from app.models.token import Permission

blueprint = Blueprint("audit_log", __name__, url_prefix="/api/audit-log", description="Who changed what, and when.")


@blueprint.route("")
@requires(Permission.AUDIT_READ)
@blueprint.arguments(AuditQuery, location="query")
@blueprint.response(200, AuditPage)
def list_audit_log(query: dict[str, Any]) -> Any:
    """List changes and refused calls, newest first.

    Without `registry_admin` only what the tokens of one's owner did is listed.
    """
    who, after, size = identity(), query.pop("cursor"), query.pop("limit")
    return page(
        lambda last, limit: services().audit.list(who, after=last, limit=limit, **query),
        after,
        size,
        key=lambda entry: entry.id,
    )
