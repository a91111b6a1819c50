"""Which files belong to which run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.models.file import RunFile
from app.models.run import Run, RunStatus


class FileRepository:
    """Queries about uploaded files, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def visible(self, run: Run) -> Sequence[RunFile]:
        """Give the files that a run sees, by name: those of its chain's first run and its own, of which its own win."""
        rows = self._session.scalars(select(RunFile).where(RunFile.run_id.in_([run.id, run.parent_id])))
        found: dict[str, RunFile] = {}
        for row in sorted(rows, key=lambda row: row.run_id == run.id):
            found[row.file_id] = row
        return [found[name] for name in sorted(found)]

    def hold_chain(self, first_id: int) -> datetime | None:
        """Keep the files of a chain, by its first run, until the transaction ends; give when they were removed.

        Raises:
            NotFound: the first run is not there any more.
        """
        wanted = select(Run.id, Run.files_removed_at).where(Run.id == first_id)
        row = self._session.execute(wanted.with_for_update(read=True, key_share=True)).one_or_none()
        if row is None:
            raise NotFound(f"There is no run {first_id} any more.", hint="Submit the tool again: maoctl tool run")
        removed_at: datetime | None = row.files_removed_at
        return removed_at

    def hold_defined(self, run_id: int) -> bool:
        """Keep the run in its state until the transaction ends, and tell whether it is ``DEFINED``."""
        wanted = select(Run.id).where(Run.id == run_id, Run.status == RunStatus.DEFINED)
        return self._session.scalar(wanted.with_for_update()) is not None

    def find(self, run_id: int, file_id: str) -> RunFile | None:
        """Give a file that was uploaded to this very run, or None."""
        return self._session.scalar(select(RunFile).where(RunFile.run_id == run_id, RunFile.file_id == file_id))

    def put(self, file: RunFile) -> int | None:
        """Store a row in place of the one with the same run and name, whose number is given, or None."""
        replaced = self.find(file.run_id, file.file_id)
        if replaced is not None:
            self._session.delete(replaced)
            self._session.flush()
        self._session.add(file)
        self._session.flush()
        return replaced.id if replaced is not None else None

    def count(self, run_id: int) -> int:
        """Count the files that were uploaded to this very run."""
        return self._session.scalar(select(func.count()).where(RunFile.run_id == run_id)) or 0

    def known(self, row_ids: Collection[int]) -> set[int]:
        """Give those of the numbers that are rows."""
        return set(self._session.scalars(select(RunFile.id).where(RunFile.id.in_(row_ids))))
