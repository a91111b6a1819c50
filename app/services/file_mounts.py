"""The agent's side of uploaded files: which ones a run gets to read, and how bytes that no row knows go."""

from __future__ import annotations

from datetime import timedelta

from app.clock import utc_now
from app.errors import BackendFailed, NotFound
from app.models.run import Cause, Run
from app.repositories.database import Database
from app.repositories.file_store import FileStore
from app.repositories.files import FileRepository
from app.services.agent_context import AgentContext

_UPLOAD_LONGEST = timedelta(days=1)
"""Bytes without a row that nobody has added to for so long belong to an upload that was killed."""
_AT_ONCE = 1000


def mounted_files(context: AgentContext, run: Run) -> dict[str, str]:
    """Give the files that the run sees: name -> place on this machine.

    Raises:
        BackendFailed: with cause ``data_unavailable``: the bytes of one are not on the disk.
    """
    with context.database.transaction() as session:
        files = FileRepository(session).visible(run)
    store = _store(context)
    try:
        return {file.file_id: str(store.path(file.id, file.size_bytes)) for file in files}
    except NotFound as error:
        raise BackendFailed(
            f"A file that was uploaded for the run cannot be used. {error.message}",
            cause=Cause.DATA_UNAVAILABLE,
            hint="Upload it again to a new run.",
        ) from error


def remove_stray_files(context: AgentContext) -> None:
    """Remove bytes that belong to no row: of killed uploads, of replaced files, of runs that are gone."""
    store = _store(context)
    if not store.belongs_to(context.installation):
        return
    store.remove_unfinished(utc_now() - _UPLOAD_LONGEST)
    for row_id in stray_files(context.database, store, context.installation):
        store.remove(row_id)


def stray_files(database: Database, store: FileStore, installation: str) -> list[int]:
    """Give the numbers of the files whose bytes are here though no row knows them."""
    # With another installation's folder, or with another database, every file would look like a stray.
    if not store.belongs_to(installation):
        return []
    strays: list[int] = []
    candidates = store.rows(utc_now() - _UPLOAD_LONGEST)
    for first in range(0, len(candidates), _AT_ONCE):
        some = candidates[first : first + _AT_ONCE]
        with database.transaction() as session:
            strays += sorted(set(some) - FileRepository(session).known(some))
    return strays


def _store(context: AgentContext) -> FileStore:
    return FileStore(context.settings.working_environment.filesdir)
