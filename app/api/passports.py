"""The passports of runs: what makes their data traceable."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.runs import READERS
from app.api.schemas.passports import FORMS, PassportQuery, PassportSchema
from app.api.security import requires
from app.services.crates import CRATE, crate_of

blueprint = Blueprint("passports", __name__, url_prefix="/api/runs", description="What made which data.")
SHAPES = {"application/json": {"schema": PassportSchema}, "application/ld+json": {"schema": {"type": "object"}}}
JSON_LD = f'application/ld+json; profile="{CRATE}"'


@blueprint.route("/<row:run_id>/passport")
@requires(*READERS)
@blueprint.arguments(PassportQuery, location="query")
@blueprint.response(200, PassportSchema)
@blueprint.doc(responses={"200": {"content": SHAPES}})
@blueprint.alt_response(404, "NOT_FOUND")
def get_passport(query: dict[str, Any], run_id: int) -> Any:
    """Show all that makes a run's data traceable: what ran, with what, on which data, and what came of it.

    It is kept with the run: entry, clone and image may be gone. Of variables and secrets it has the names only.
    """
    passport = services().passports.get(identity(), run_id)
    if query["format"] == FORMS[0]:
        return passport
    return Response(json.dumps(crate_of(passport), indent=2), content_type=JSON_LD)
