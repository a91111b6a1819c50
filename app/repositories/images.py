"""Which images runs have used, and which of them the agent fetched."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.models.image import Image
from app.models.run import Run


class ImageRepository:
    """Queries about images, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def note_use(self, image_id: str, reference: str, *, is_fetched: bool) -> None:
        """Note that a run uses an image now; one that was fetched for any run is ours from then on."""
        now = utc_now()
        row = insert(Image).values(
            image_id=image_id,
            reference=reference,
            is_ours=is_fetched,
            pulled_at=now if is_fetched else None,
            last_used_at=now,
        )
        known = {
            "reference": row.excluded.reference,
            "is_ours": Image.is_ours | row.excluded.is_ours,
            "pulled_at": func.coalesce(row.excluded.pulled_at, Image.pulled_at),
            "last_used_at": row.excluded.last_used_at,
        }
        self._session.execute(row.on_conflict_do_update(index_elements=[Image.image_id], set_=known))

    def unused(self, before: datetime) -> Sequence[Image]:
        """Give the images of ours that no run has used since that instant, the longest unused first."""
        query = select(Image).where(Image.is_ours, Image.last_used_at < before).order_by(Image.last_used_at)
        return list(self._session.scalars(query))

    def touch(self, image_ids: Collection[str]) -> None:
        """Note that these images are in use now, those of them that are known."""
        self._session.execute(update(Image).where(Image.image_id.in_(image_ids)).values(last_used_at=utc_now()))

    def give_up(self, image_id: str, before: datetime) -> bool:
        """Forget an image of ours unless it was used since that instant, and tell whether it was not.

        Whoever is told so removes it; a run that comes later takes what it finds then for somebody else's.
        """
        given_up = delete(Image).where(Image.image_id == image_id, Image.is_ours, Image.last_used_at < before)
        return self._session.scalar(given_up.returning(Image.image_id)) is not None

    def forget_others(self, image_ids: Collection[str], before: datetime) -> None:
        """Forget the images that are not among these, as far as they were noted before that instant."""
        self._session.execute(delete(Image).where(Image.image_id.not_in(image_ids), Image.last_used_at < before))

    def wanted_by_runs(self) -> Sequence[str]:
        """Give the images that entries of unfinished runs name."""
        image = Run.tool_entry["image"].astext
        query = select(image).where(Run.ended_at.is_(None), Run.tool_entry.is_not(None)).distinct()
        return list(self._session.scalars(query))
