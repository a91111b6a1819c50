"""Images: which ones runs use, and which of those that the agent fetched nobody needs any more."""

from __future__ import annotations

from app.executors.base import RunRequest
from app.repositories.images import ImageRepository
from app.services.agent_context import AgentContext


def note_image(context: AgentContext, request: RunRequest) -> None:
    """Note that a run that is prepared uses its image, and whether it was fetched for it."""
    if request.image_id is None:
        return
    with context.database.repeatable_transaction() as session:
        ImageRepository(session).note_use(request.image_id, request.image, is_fetched=request.is_image_new)
