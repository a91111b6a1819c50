"""Files of runs: what people upload for a run to read, and what of it a run sees."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.clock import utc_now
from app.errors import Conflict, Invalid, NotFound, WrongState
from app.models.file import RunFile
from app.models.names import FILE_NAME_PATTERN, FILE_NAME_RULE
from app.models.run import Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.database import Database, Session
from app.repositories.file_store import FileStore, Received
from app.repositories.files import FileRepository
from app.repositories.runs import RunRepository

FILES_MOST = 100
"""Files of its own that one run may have."""


class FileService:
    """The use cases of files. An identity without an ``_any`` permission reaches its owner's runs only."""

    def __init__(self, database: Database, store: FileStore) -> None:
        self._database = database
        self._store = store

    def upload(self, identity: Identity, run_id: int, file_id: str, pieces: Iterable[bytes]) -> RunFile:
        """Store a file of a run that is not started yet, in place of the one that had the name; give its row.

        Nothing is seen of it before all of it is on the disk, and no transaction is open while it arrives.

        Raises:
            NotFound: there is no such run in reach.
            WrongState: the run was started, before or while the file arrived.
            Conflict: the run has as many files as it may have.
            Invalid: the name breaks the rule for names of files.
            StorageFull: there is no room.
        """
        _check_file_id(file_id)
        with self._database.transaction() as session:
            reach = identity.reach(Permission.JOB_RUN_CHANGE_ANY)
            _check_is_defined(RunRepository(session).get(run_id, owner=reach))
            _check_room(session, run_id, file_id)
        with self._store.receive(pieces) as received:
            file = RunFile(
                run_id=run_id,
                file_id=file_id,
                size_bytes=received.size_bytes,
                sha256=received.sha256,
                uploaded_by=identity.identifier,
                uploaded_at=utc_now(),
            )
            replaced = self._keep(file, received)
        if replaced is not None:
            self._store.remove(replaced)
        return file

    def list(self, identity: Identity, run_id: int) -> Sequence[RunFile]:
        """Give the files that a run sees, by name.

        Raises:
            NotFound: there is no such run in reach.
        """
        with self._database.transaction() as session:
            run = RunRepository(session).get(run_id, owner=identity.reach(Permission.JOB_RUN_READ_ANY))
            return FileRepository(session).visible(run)

    def get(self, identity: Identity, run_id: int, file_id: str) -> tuple[RunFile, Path]:
        """Give a file that a run sees, and where its bytes are.

        Raises:
            NotFound: there is no such run in reach, or the run sees no such file.
        """
        with self._database.transaction() as session:
            run = RunRepository(session).get(run_id, owner=identity.reach(Permission.JOB_RUN_READ_ANY))
            return self.of_run(session, run, file_id)

    def of_run(self, session: Session, run: Run, file_id: str) -> tuple[RunFile, Path]:
        """Give a file that this run sees, and where its bytes are; who may see the run is the caller's business.

        Raises:
            NotFound: the run sees no such file.
        """
        for file in FileRepository(session).visible(run):
            if file.file_id == file_id:
                return file, self._store.path(file.id, file.size_bytes)
        raise NotFound(f"Run {run.id} has no file '{file_id[:128]}'.", hint=f"See: maoctl run files {run.id}")

    def _keep(self, file: RunFile, received: Received) -> int | None:
        """Make what was received a file of its run, and give the number of the row that it replaces, or None."""
        with self._database.transaction() as session:
            files = FileRepository(session)
            if not files.hold_defined(file.run_id):
                _check_is_defined(RunRepository(session).get(file.run_id))
            _check_room(session, file.run_id, file.file_id)
            replaced = files.put(file)
            self._store.keep(received, file.id)
            return replaced


def _check_file_id(file_id: str) -> None:
    if not re.fullmatch(FILE_NAME_PATTERN, file_id):
        raise Invalid(f"'{file_id[:128]}' is no name for a file.", fields={"fileId": [f"Must be {FILE_NAME_RULE}."]})


def _check_is_defined(run: Run) -> None:
    if run.status != RunStatus.DEFINED:
        raise WrongState(
            f"Run {run.id} is {run.status}, and takes files only while it is {RunStatus.DEFINED}.",
            hint="Submit a run with a manual start, upload its files, then start it.",
        )


def _check_room(session: Session, run_id: int, file_id: str) -> None:
    files = FileRepository(session)
    if files.count(run_id) >= FILES_MOST and files.find(run_id, file_id) is None:
        raise Conflict(f"Run {run_id} has {FILES_MOST} files, and no run may have more.")
