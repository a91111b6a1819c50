"""The services of runs, answering from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from app.errors import NotFound, StillWorking, WrongState
from app.models.attempt import RunAttempt
from app.models.event import RunEvent
from app.models.file import RunFile
from app.models.run import Run
from app.models.token import Identity
from app.services.passports import Passport, passport_of

from .samples import CONTENT, NOON, Recorder, a_file, a_run


class Runs(Recorder):
    def get(self, identity: Identity, run_id: int) -> Run:
        if run_id != 1:
            raise NotFound(f"There is no run {run_id}.")
        return a_run()

    def search(self, identity: Identity, wanted: dict[str, Any], after: Any = None, limit: int = 100) -> Sequence[Run]:
        self.note("search", identity, wanted, after, limit)
        return [a_run(number) for number in (3, 2, 1) if after is None or (NOON, number) < after][:limit]

    def attempts(self, identity: Identity, run_id: int) -> Sequence[RunAttempt]:
        return [RunAttempt(run_id=1, number=1, ended_at=NOON, cause="lost", message="Gone.", first_byte=0)]

    def stop(self, identity: Identity, run_id: int, *, is_forced: bool = False) -> Run:
        self.note("stop", identity, run_id, is_forced=is_forced)
        if run_id == 2:
            raise WrongState("Run 2 is over.")
        return a_run(status="ABORTING")

    def wait(self, identity: Identity, run_id: int, timeout_seconds: float) -> Run:
        self.note("wait", identity, run_id, timeout_seconds)
        return a_run(status="SUCCEEDED")

    def events(self, identity: Identity, run_id: int) -> Sequence[RunEvent]:
        return [RunEvent(id=1, run_id=1, at=NOON, from_status=None, to_status="WAITING_LOCKS", actor="root")]

    def report(self, identity: Identity, run_id: int) -> dict[str, Any]:
        return {"verdict": "ok", "text": "Report:", "toolImage": "i", "message": {"cron": False}, "spike": None}


class Origins:
    def find(self, identity: Identity, name: str, path: str) -> dict[str, Any]:
        if name != "spike":
            raise StillWorking("The agent is at work on the answer.")
        return {"path": path, "commit": "c" * 40, "run_id": 7, "is_recorded": True, "is_removed": False}


class Passports:
    def get(self, identity: Identity, run_id: int) -> Passport:
        if run_id != 1:
            raise NotFound(f"There is no run {run_id}.")
        return passport_of(a_run(), [], None)


class Files(Recorder):
    error: Exception | None = None

    def upload(self, identity: Identity, run_id: int, file_id: str, pieces: Iterable[bytes]) -> RunFile:
        if self.error:
            raise self.error
        sizes = [len(piece) for piece in pieces]
        self.note("upload", identity, run_id, file_id, sizes)
        return a_file(file_id, run_id, sum(sizes))

    def list(self, identity: Identity, run_id: int) -> Sequence[RunFile]:
        return [a_file("a.csv"), a_file("b.csv")]

    def get(self, identity: Identity, run_id: int, file_id: str) -> tuple[RunFile, Path]:
        return a_file(file_id), CONTENT


class Webhooks(Recorder):
    def update(self, identity: Identity, given_id: str, **values: Any) -> Run:
        self.note("update", identity, given_id, **values)
        return a_run(identification_keys=values.get("identification_keys", {}))

    def get_file(self, given_id: str, file_id: str) -> tuple[RunFile, Path]:
        return a_file(file_id), CONTENT


class Submissions(Recorder):
    def submit(self, identity: Identity, tool_name: str, wishes: dict[str, Any], *, key: str | None = None) -> int:
        self.note("submit", identity, tool_name, wishes, key=key)
        return 12

    def resubmit(self, identity: Identity, run_id: int, changes: dict[str, Any], *, key: str | None = None) -> int:
        self.note("resubmit", identity, run_id, changes, key=key)
        return 13


class Replays(Recorder):
    def replay(self, identity: Identity, run_id: int, *, key: str | None = None) -> int:
        self.note("replay", identity, run_id, key=key)
        return 14


class Verifications(Recorder):
    is_at_work = False

    def verify(self, identity: Identity, run_id: int, replay_id: int | None = None) -> dict[str, Any]:
        self.note("verify", identity, run_id, replay_id)
        if self.is_at_work:
            raise StillWorking("The agent is at work on the answer.")
        by = {"commit": "", "run": "", "node": "", "is_recorded": False}
        changed = {"path": "a.csv", "is_missing": False, "is_uncommitted": True, **by}
        return {
            "run_id": run_id,
            "replay_id": replay_id,
            "is_identical": False,
            "summary": "a.csv changed since.",
            "written": 2,
            "changed": [changed],
            "damaged": [],
            "too_large": [],
            "replayed": None,
            "changed_rows": [],
            "replayed_rows": [],
        }


class RunChanges(Recorder):
    def __getattr__(self, method: str) -> Callable[..., Run]:
        """Note whatever change is asked for; run 2 is in no state for any."""
        if method not in ("start", "refresh", "resolve", "promote", "discard"):
            raise AttributeError(method)

        def change(identity: Identity, run_id: int, *arguments: Any, **wishes: bool) -> Run:
            self.note(method, identity, run_id, *arguments, **wishes)
            if run_id == 2:
                raise WrongState("Run 2 is over.")
            return a_run(run_id)

        return change
