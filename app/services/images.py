"""Images: which ones runs use, and which of those that the agent fetched nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from app.clock import utc_now
from app.errors import MaoError
from app.executors.base import Executor, RunRequest, StoredImage
from app.executors.images import short_name
from app.models.image import Image
from app.repositories.database import Database
from app.repositories.images import ImageRepository
from app.services.agent_context import AgentContext

_JUST_NOTED = timedelta(hours=1)
"""An image may be noted while the backend's list is on its way to us."""


def note_image(context: AgentContext, request: RunRequest) -> None:
    """Note that a run that is prepared uses its image, and whether it was fetched for it."""
    if request.image_id is None:
        return
    with context.database.repeatable_transaction() as session:
        ImageRepository(session).note_use(request.image_id, request.image, is_fetched=request.is_image_new)


def keep_book(database: Database, executors: Iterable[Executor]) -> None:
    """Note which images are in use though no run began with them lately, and forget those that are gone.

    An image that somebody removed, and fetches again himself, is his from then on.
    """
    noted_before = utc_now() - _JUST_NOTED
    present = [image for executor in executors for image in executor.images()]
    with database.transaction() as session:
        images = ImageRepository(session)
        images.touch([image.image_id for image in present if image.is_used])
        images.forget_others([image.image_id for image in present], noted_before)


def is_needed(image: StoredImage, reference: str, wanted: Iterable[str]) -> bool:
    """Tell whether an image that was fetched as ``reference`` is needed.

    It is when something was made from it, when an entry names it (``wanted``), and when it has another name as well:
    somebody gave it that name.
    """
    tags = {name for name in image.names if "@" not in name}
    is_somebodys = bool(tags - {short_name(reference)})
    return image.is_used or is_somebodys or any(_is_meant(image, text) for text in wanted)


def remove_image(database: Database, executor: Executor, row: Image, before: datetime) -> bool:
    """Remove an image of ours, unless a run has used it since; tell whether it was removed."""
    with database.transaction() as session:
        if not ImageRepository(session).give_up(row.image_id, before):
            return False
    try:
        executor.remove_image(row.image_id)
    except MaoError:
        with database.transaction() as session:
            ImageRepository(session).note_use(row.image_id, row.reference, is_fetched=True)
        raise
    return True


def _is_meant(image: StoredImage, text: str) -> bool:
    # An entry may name an image by the beginning of its id.
    digits = text.removeprefix("sha256:")
    is_id = bool(digits) and image.image_id.removeprefix("sha256:").startswith(digits)
    return bool(text) and (is_id or short_name(text) in image.names)
