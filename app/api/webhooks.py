"""Webhooks: what the backend of a run says and fetches, by an id that only the run was given."""

from __future__ import annotations

from typing import Any

from flask import Response

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.files import BINARY
from app.api.schemas.webhooks import Known, Word
from app.api.security import Changes, requires
from app.api.uploads import MEDIA_TYPE, answer_file
from app.models.token import Permission

blueprint = Blueprint("webhooks", __name__, url_prefix="/api/webhooks/runs", description="For the backends of runs.")
SPEAKERS = (Permission.WEBHOOK_UPDATE_STATUS, Permission.WEBHOOK_IDENTIFICATION_KEYS)


@blueprint.route("/<webhook_id>", methods=["POST"])
@requires(*SPEAKERS, changes=Changes.POSTGRES)
@blueprint.arguments(Word, example={"status": "SUCCEEDED", "identificationKeys": {"build_number": "17"}})
@blueprint.response(200, Known)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def tell(values: dict[str, Any], webhook_id: str) -> Any:
    """Say what became of a run, or by which keys its backend knows it.

    A status needs `webhook_update_status`, keys need `webhook_identification_keys`. The status that the run has already
    changes nothing; a run that is in doubt becomes what its backend says; any other is refused.
    """
    return services().webhooks.update(identity(), webhook_id, **values)


@blueprint.route("/<webhook_id>/files/<file_id>")
@requires(Permission.WEBHOOK_GET_FILES)
@blueprint.response(200, BINARY, content_type=MEDIA_TYPE)
@blueprint.alt_response(404, "NOT_FOUND")
def fetch(webhook_id: str, file_id: str) -> Response:
    """Download a file that the run sees."""
    return answer_file(*services().webhooks.get_file(webhook_id, file_id))
