"""Searching runs."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.pages import page, place
from app.api.schemas.runs import RunPage
from app.api.schemas.search import RunSearch
from app.api.security import Changes, requires
from app.models.token import Permission

blueprint = Blueprint("search", __name__, url_prefix="/api/search", description="Searching runs.")
EXAMPLE = {"tool": "spike", "states": ["FAILED", "IN_DOUBT"], "definedFrom": "2026-11-01T00:00:00Z"}


@blueprint.route("/runs", methods=["POST"])
@requires(Permission.JOB_RUN_SEARCH, changes=Changes.NOTHING)
@blueprint.arguments(RunSearch, required=False, example=EXAMPLE)
@blueprint.response(200, RunPage)
def search_runs(wanted: dict[str, Any]) -> Any:
    """Search runs by any mix of conditions, newest first.

    A token without `job_run_read_any` sees the runs of its owner.
    """
    after, size = wanted.pop("cursor"), wanted.pop("limit")
    return page(partial(services().runs.search, identity(), wanted), after, size, key=place)
