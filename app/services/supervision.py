"""One run, from the moment that the agent claimed it until its record is final.

The steps are chosen by the row's status alone, so that a run is picked up after any crash where it stands: a new agent
does exactly what the old one would have done next. Every change of the row is conditional on its status and on the
agent's epoch; when nothing changed, the row is read again and what it says now is obeyed.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app.clock import utc_now
from app.errors import (
    AlreadyExists,
    BackendFailed,
    DatabaseDown,
    MaoError,
    StorageFull,
    Unavailable,
    WrongState,
)
from app.executors.base import Executor, Observation, Phase, RunRequest, StopMode
from app.executors.outcomes import Outcome, outcome_of
from app.log import run_id as logged_run_id
from app.models.run import FINAL, Cause, Run, RunStatus
from app.repositories.database import Session
from app.repositories.outputs import OutputRepository
from app.repositories.runs import RunRepository
from app.services import secrets
from app.services.agent_context import AgentContext
from app.services.attempts import next_failures, record_attempt
from app.services.capacity import full_disk
from app.services.conditions import conditions_of
from app.services.finishing import Settlement, set_aside, settle
from app.services.images import note_image
from app.services.output_buffer import TAIL_BYTES, OutputBuffer
from app.services.recording import last_lines, record_final
from app.services.requests import request_for, timeout_of
from app.services.workplaces import data_dir_of, ready_data

log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_REREAD_SECONDS = 0.1
_WAIT_SECONDS = 5.0
_MOST_FAILURES = 5
_MOST_STOPPERS = 2


class Supervision:
    """Looks after one run, in a thread of its own. ``tend`` and ``ask_stop`` are called by the dispatcher's thread.

    ``claimed`` is the row as this agent has just claimed it, None for a run that was under way before.
    """

    def __init__(self, context: AgentContext, run_id: int, claimed: Run | None = None) -> None:
        self.run_id = run_id
        self.thread = threading.Thread(target=self._look_after, name=f"run-{run_id}", daemon=True)
        self._context = context
        self._claimed = claimed
        self._was_unobserved = claimed is None
        self._may_have_started = claimed is None
        self._buffer: OutputBuffer | None = None
        self._deadline: datetime | None = None
        self._is_stop_asked = False
        self._stoppers: list[threading.Thread] = []

    def ask_stop(self) -> None:
        """Stop the run, because somebody wants that; asked again, it may be with more force. Never blocks."""
        self._stoppers = [stopper for stopper in self._stoppers if stopper.is_alive()]
        # One may be polite and one forced; whoever asks a third time is heard when one of them is done.
        self._is_stop_asked = len(self._stoppers) >= _MOST_STOPPERS
        if not self._is_stop_asked:
            stopper = threading.Thread(target=self._stop, name=f"stop-{self.run_id}", daemon=True)
            self._stoppers.append(stopper)
            stopper.start()

    def tend(self) -> None:
        """Stop the run where its time is over, or where a stop that was asked for did not come through yet."""
        is_late = self._deadline is not None and utc_now() >= self._deadline
        is_stopping = any(stopper.is_alive() for stopper in self._stoppers)
        if (self._is_stop_asked or is_late) and not is_stopping:
            self.ask_stop()

    def flush(self) -> None:
        """Store the output that has come so far."""
        if self._buffer is not None:
            self._buffer.flush()

    def _look_after(self) -> None:
        """Do what the row says until it is final, or until this agent owns it no more."""
        logged_run_id.set(self.run_id)
        failures = 0
        while not self._context.lost.is_set():
            try:
                if self._advance_until_changed():
                    return
                self._context.lost.wait(_REREAD_SECONDS)
            except DatabaseDown:
                self._context.lost.wait(_RETRY_SECONDS)
            except StorageFull as error:
                self._explain(f"disk: {error.message}")
                self._context.lost.wait(_RETRY_SECONDS)
            except Unavailable as error:
                self._was_unobserved = True
                self._explain(f"backend: {error.message}")
                self._context.lost.wait(_RETRY_SECONDS)
            except Exception:
                failures += 1
                log.exception("A step of the run failed, time %s of %s.", failures, _MOST_FAILURES)
                if failures >= _MOST_FAILURES:
                    self._give_up()
                self._context.lost.wait(_RETRY_SECONDS)

    def _give_up(self) -> None:
        """End a run that a defect of ours keeps from ending, so that it does not say "running" for ever."""
        message = "The agent could not finish this run; its log says why."
        try:
            run = self._read()
            if run.handle:
                self._executor(run).stop(run.handle, StopMode.FORCE, 0)
            settled = Settlement(Outcome(RunStatus.IN_DOUBT, Cause.BACKEND_ERROR, message))
            set_aside(self._context, run, settled)
            columns = {
                "message": message,
                "cause": Cause.BACKEND_ERROR,
                "is_unsettled": settled.is_unsettled,
                **settled.kept,
            }
            with self._context.database.transaction() as session:
                self._change(session, run, RunStatus.IN_DOUBT, columns)
        except Exception:
            log.exception("The run could not be given up; it is tried again.")

    def _advance_until_changed(self) -> bool:
        """Read the row and go on from there, as long as nobody else changes it; give whether the run is over for us."""
        run, self._claimed = self._claimed or self._read(), None
        try:
            while run.agent_epoch == self._context.epoch and RunStatus(run.status) not in FINAL:
                run = self._advance(run)
        except (WrongState, AlreadyExists):
            log.info("The run was changed by somebody else; reading it again.")
            return False
        return True

    def _read(self) -> Run:
        with self._context.database.transaction() as session:
            return RunRepository(session).get(self.run_id)

    def _advance(self, run: Run) -> Run:
        """Do the next thing, and give the row as it is then."""
        try:
            match RunStatus(run.status):
                case RunStatus.PENDING_SUBMIT:
                    return self._create(run)
                case RunStatus.SUBMITTED:
                    return self._start_created(run)
                case RunStatus.RUNNING:
                    return self._follow(run)
                case _:
                    return self._follow_or_drop(run)
        except BackendFailed as error:
            return self._finish(run, Outcome(RunStatus.FAILED, Cause(error.cause), _sentence(error)))

    def _create(self, run: Run) -> Run:
        ready = ready_data(self._context, run)
        executor = self._executor(run)
        request = request_for(self._context, run, data_dir_of(self._context, run))
        too_full = full_disk(self._context, self._context.settings.limits.disk_pull_percent)
        request = executor.prepare(replace(request, may_fetch=too_full is None))
        note_image(self._context, request)
        self._keep_code(run, request)
        handle = executor.create(request)
        columns = {"handle": handle, "image_digest": request.image_digest, "waiting_for": None, **ready}
        columns["definition_commit"] = request.code.commit if request.code else None
        columns["conditions"] = conditions_of(self._context, run, request, ready)
        known = ready.get("warnings", run.warnings)
        withheld = [warning for warning in secrets.warnings_of(self._context, run) if warning not in known]
        if withheld:
            columns["warnings"] = [*known, *withheld]
        # From here on a start may have been sent, and what the clone held before is known now and never again.
        with self._context.database.transaction() as session:
            return self._change(session, run, RunStatus.SUBMITTED, columns)

    def _keep_code(self, run: Run, request: RunRequest) -> None:
        """Note the commit of a tool's code before anything is made with it.

        After a kill in between, and for a further attempt, the same is asked for again, whatever was updated since.
        """
        if request.code is None or run.definition_commit is not None:
            return
        with self._context.database.transaction() as session:
            commit = request.code.commit
            if not RunRepository(session).set(run.id, epoch=self._context.epoch, definition_commit=commit):
                raise WrongState(f"Run {run.id} belongs to another agent now.")

    def _start_created(self, run: Run) -> Run:
        executor, handle = self._executor(run), run.handle or ""
        if self._may_have_started and (seen := self._nothing_known(executor, handle)):
            return self._doubt(run, seen)
        self._may_have_started = True
        executor.start(handle)
        with self._context.database.repeatable_transaction() as session:
            return self._change(session, run, RunStatus.RUNNING, {"started_at": utc_now(), "waiting_for": None})

    def _doubt(self, run: Run, seen: Observation) -> Run:
        what = "The container is gone" if seen.phase is Phase.GONE else "The backend was replaced during the start"
        message = f"{what}, and nothing shows whether it ran."
        return self._finish(run, Outcome(RunStatus.IN_DOUBT, Cause.LOST, message), seen)

    @staticmethod
    def _nothing_known(executor: Executor, handle: str) -> Observation | None:
        """Give what the backend shows where that does not tell whether a start that was asked for has happened."""
        seen = executor.status(handle)
        is_forgotten = seen.phase is Phase.CREATED and executor.has_forgotten(handle)
        return seen if seen.phase is Phase.GONE or is_forgotten else None

    def _follow_or_drop(self, run: Run) -> Run:
        if run.handle and self._may_have_started and (seen := self._nothing_known(self._executor(run), run.handle)):
            return self._doubt(run, seen)
        phase = self._executor(run).status(run.handle).phase if run.handle else Phase.CREATED
        if phase is Phase.CREATED:
            message = f"Stopped by {run.stop_requested_by} before it began."
            return self._finish(run, Outcome(RunStatus.ABORTED, Cause.CANCELLED, message))
        self.ask_stop()
        return self._follow(run)

    def _follow(self, run: Run) -> Run:
        """Store what the tool prints until it has ended, then finish."""
        executor, handle = self._executor(run), run.handle or ""
        if run.waiting_for and executor.status(handle).phase is not Phase.GONE:
            self._explain(None)
        self._deadline = (run.started_at or utc_now()) + timedelta(seconds=timeout_of(self._context, run))
        self._buffer = self._new_buffer(run)
        for data in executor.output(handle, self._buffer.end - run.output_base):
            self._buffer.add(data)
            if self._context.lost.is_set():
                raise WrongState("This agent's term of office is over.")
        seen = executor.status(handle)
        while seen.phase not in (Phase.ENDED, Phase.GONE) and not self._context.lost.is_set():
            seen = executor.wait(handle, _WAIT_SECONDS)
        limit = self._context.settings.limits.output_bytes
        if not executor.gives_all_output and self._buffer.taken - run.output_base > limit:
            self._buffer.replace_tail(executor.tail(handle, TAIL_BYTES))
        return self._finish(run, self._judge(run, seen), seen)

    def _judge(self, run: Run, seen: Observation) -> Outcome:
        is_aborting = run.status == RunStatus.ABORTING
        asked_at, ended_at = run.stop_requested_at, seen.ended_at
        return outcome_of(
            seen,
            timeout_seconds=timeout_of(self._context, run),
            stopped_by=run.stop_requested_by if is_aborting else None,
            had_ended_before_stop=asked_at is not None and ended_at is not None and ended_at < asked_at,
            was_unobserved=self._was_unobserved,
        )

    def _finish(self, run: Run, outcome: Outcome, seen: Observation | None = None) -> Run:
        failures = next_failures(run, outcome)
        if failures is not None and self._is_proven_over(run, seen):
            return self._begin_again(run, outcome, failures, seen)
        settled = settle(self._context, run, outcome, seen)
        lines: list[str] = []
        if settled.outcome.status is not RunStatus.SUCCEEDED:
            self.flush()
            lines = last_lines(self._context, run.id)
        final = record_final(self._context, run, settled, lines, self._buffer)
        self._deadline = None
        if run.handle:
            self._remove(run)
        return final

    def _is_proven_over(self, run: Run, seen: Observation | None) -> bool:
        """Tell whether the attempt has ended or cannot begin any more; nothing less allows another one."""
        if seen is not None:
            return seen.phase is Phase.ENDED
        if run.handle is None:
            return run.status == RunStatus.PENDING_SUBMIT
        executor = self._executor(run)
        if executor.status(run.handle).phase is not Phase.CREATED or executor.has_forgotten(run.handle):
            return False
        # An agent that was frozen before its call of "start" finds nothing to start when it wakes.
        executor.remove(run.handle)
        return True

    def _begin_again(self, run: Run, outcome: Outcome, failures: dict[str, int], seen: Observation | None) -> Run:
        settled = Settlement(outcome, warnings=list(run.warnings))
        set_aside(self._context, run, settled)
        waiting = record_attempt(self._context, run, settled, failures, self._buffer, seen)
        self._deadline = None
        if run.handle:
            self._remove(run)
        log.info("Attempt %s has ended (%s); another one follows.", run.attempt, outcome.cause)
        return waiting

    def _remove(self, run: Run) -> None:
        # What cannot be removed now is a leftover, and the sweep for those comes by in a few seconds.
        try:
            self._executor(run).remove(run.handle or "")
        except (Unavailable, BackendFailed) as error:
            log.warning("The container of run %s is left for the sweep: %s", run.id, error.message)
        secrets.remove_secrets(self._context, run)

    def _stop(self) -> None:
        try:
            run = self._read()
            if run.handle and run.ended_at is None:
                mode = StopMode.FORCE if run.is_stop_forced else StopMode.GRACE
                self._executor(run).stop(run.handle, mode, self._context.settings.limits.stop_grace_seconds)
        except MaoError as error:
            log.warning("The run could not be stopped yet: %s", error.message)
            self._is_stop_asked = True

    def _change(self, session: Session, run: Run, new: RunStatus, columns: dict[str, Any]) -> Run:
        old, context = RunStatus(run.status), self._context
        changed = RunRepository(session).change(run.id, old, new, actor=context.actor, epoch=context.epoch, **columns)
        if changed is None:
            raise WrongState(f"Run {run.id} was changed by somebody else.")
        return changed

    def _explain(self, reason: str | None) -> None:
        try:
            with self._context.database.transaction() as session:
                RunRepository(session).set(self.run_id, epoch=self._context.epoch, waiting_for=reason)
        except DatabaseDown:
            log.warning("Why the run waits could not be stored: %s", reason)

    def _new_buffer(self, run: Run) -> OutputBuffer:
        start = run.output_base
        # Only the first look at an attempt that began under our eyes knows without asking that nothing of it is stored.
        if self._was_unobserved or self._buffer is not None:
            with self._context.database.transaction() as session:
                start = OutputRepository(session).end(self.run_id)
        limit = self._context.settings.limits.output_bytes
        return OutputBuffer(
            self._context.database, self.run_id, self._context.epoch, start_byte=start, limit_bytes=limit
        )

    def _executor(self, run: Run) -> Executor:
        try:
            return self._context.executors[run.backend]
        except KeyError:
            raise BackendFailed(f"This node has no backend '{run.backend}'.") from None


def _sentence(error: BackendFailed) -> str:
    return f"{error.message} {error.hint}" if error.hint else error.message
