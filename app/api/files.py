"""Files of runs: upload, list, download."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from app.api.blueprint import Blueprint
from app.api.context import identity, services
from app.api.schemas.files import FileList, FileSchema
from app.api.security import Changes, requires
from app.api.uploads import MEDIA_TYPE, answer_file, takes_file, uploaded
from app.models.token import Permission

blueprint = Blueprint("files", __name__, url_prefix="/api/runs", description="Files that runs read.")
READERS = (Permission.JOB_RUN_READ, Permission.JOB_RUN_READ_ANY)
BINARY = {"type": "string", "format": "binary"}


@blueprint.route("/<row:run_id>/files")
@requires(*READERS)
@blueprint.response(200, FileList)
@blueprint.alt_response(404, "NOT_FOUND")
def list_files(run_id: int) -> Any:
    """List the files that a run sees: its own, and those of the first run of its chain."""
    return {"items": services().files.list(identity(), run_id), "next": None}


@blueprint.route("/<row:run_id>/files/<file_id>", methods=["POST"])
@requires(Permission.JOB_RUN_UPLOAD_FILES, Permission.JOB_RUN_CHANGE_ANY, changes=Changes.POSTGRES)
@takes_file
@blueprint.response(201, FileSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(413, "REQUEST_ENTITY_TOO_LARGE")
@blueprint.alt_response(415, "UNSUPPORTED_MEDIA_TYPE")
@blueprint.alt_response(422, "UNPROCESSABLE_ENTITY")
def upload_file(run_id: int, file_id: str) -> Any:
    """Upload a file for a run that is not started yet; one of the same name is replaced.

    The body is the bytes of the file. Nothing is seen of it before all of it has arrived.
    """
    with uploaded() as pieces:
        file = services().files.upload(identity(), run_id, file_id, pieces)
    return file, {"Location": url_for("files.get_file", run_id=run_id, file_id=file_id)}


@blueprint.route("/<row:run_id>/files/<file_id>")
@requires(*READERS)
@blueprint.response(200, BINARY, content_type=MEDIA_TYPE)
@blueprint.alt_response(404, "NOT_FOUND")
def get_file(run_id: int, file_id: str) -> Response:
    """Download a file that a run sees. The entity tag is the SHA-256 of its bytes."""
    return answer_file(*services().files.get(identity(), run_id, file_id))
