"""The dispatcher: claims waiting runs for this node and gives each a supervision."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from app.errors import DatabaseDown, MaoError, Unavailable, WrongState
from app.models.run import FINAL, Cause, Run, RunStatus
from app.repositories.agents import AgentRepository
from app.repositories.run_queue import RunQueue
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.capacity import capacity_of
from app.services.definitions_commands import chosen, in_one_line
from app.services.plans import Planner
from app.services.supervision import Supervision

log = logging.getLogger(__name__)


class Dispatcher:
    """Holds the supervisions of one term of office. All methods are called by one thread, but ``flush``
    and ``plan``.
    """

    def __init__(self, context: AgentContext, planner: Planner) -> None:
        self._context = context
        self._planner = planner
        self._supervisions: dict[int, Supervision] = {}

    @property
    def supervised(self) -> frozenset[int]:
        """The numbers of the runs that are looked after now."""
        return frozenset(self._supervisions)

    def take_over(self) -> None:
        """Make every live run ours, and go on with each where it stands."""
        with self._context.database.transaction() as session:
            run_ids = RunRepository(session).adopt(self._context.epoch)
        for run_id in run_ids:
            log.info("Going on with run %s.", run_id)
            self._supervise(run_id)

    def step(self) -> bool:
        """Claim as many waiting runs as there are free slots; give whether there are runs to be planned."""
        self._forget_finished()
        claimed, has_unplanned = self._claim()
        for run in claimed:
            self._supervise(run.id, run)
        return has_unplanned

    def plan(self) -> None:
        """Read the registry for the runs that jobs have made. It may hang, so this is a tick of its own."""
        with self._context.database.transaction() as session:
            unplanned = RunQueue(session).unplanned()
        for run in unplanned:
            self._plan(run)

    def tend(self) -> None:
        """Stop what is to be stopped, say what waiting runs wait for, and pick up runs that nobody looks after.

        Raises:
            Superseded: another agent has taken over.
        """
        for supervision in list(self._supervisions.values()):
            supervision.tend()
        capacity = capacity_of(self._context)
        with self._context.database.transaction() as session:
            AgentRepository(session).hold_term(self._context.node, self._context.epoch)
            RunQueue(session).explain_waiting(capacity)
            runs = RunRepository(session)
            runs.adopt(self._context.epoch)
            held = runs.held()
        for run_id in held:
            if run_id not in self._supervisions:
                self._supervise(run_id)

    def told(self, payload: str) -> bool:
        """Hear of a change of a run, stop what is to be stopped, and give whether ``step`` may find work now."""
        run_id, _, status = payload.partition(":")
        if status == RunStatus.ABORTING and (supervision := self._supervisions.get(int(run_id))):
            supervision.ask_stop()
        return status == RunStatus.WAITING_LOCKS or status in FINAL

    def flush(self) -> None:
        """Store the output that has come so far, of every run."""
        for supervision in list(self._supervisions.values()):
            try:
                supervision.flush()
            except (DatabaseDown, WrongState) as error:
                log.warning("Output of run %s is not stored yet: %s", supervision.run_id, error.message)

    def _claim(self) -> tuple[Sequence[Run], bool]:
        """Take waiting runs, and give them with whether others are not planned yet."""
        capacity = capacity_of(self._context)
        # A claim that is forgotten is made again, with the same number of the attempt, so the same container's name.
        with self._context.database.repeatable_transaction() as session:
            AgentRepository(session).hold_term(self._context.node, self._context.epoch)
            queue = RunQueue(session)
            claimed = queue.claim(node=self._context.node, epoch=self._context.epoch, capacity=capacity)
            return claimed, queue.has_unplanned()

    def _plan(self, run: Run) -> None:
        try:
            plan = self._planner.plan(run.tool, run.labels, run.locks)
            with self._context.database.transaction() as session:
                runs = RunRepository(session)
                parameters = chosen(session, plan["tool_entry"], run.parameters)
                runs.set(run.id, **plan, parameters=parameters)
                runs.wake(run.id, RunStatus.WAITING_LOCKS)
        except Unavailable:
            raise
        except MaoError as error:
            self._refuse(run, in_one_line(error))
        except Exception:
            log.exception("Run %s cannot be planned.", run.id)
            self._refuse(run, "The agent cannot use the tool's entry; its log says why.")

    def _refuse(self, run: Run, message: str) -> None:
        with self._context.database.transaction() as session:
            RunRepository(session).change(
                run.id,
                RunStatus.WAITING_LOCKS,
                RunStatus.FAILED,
                actor=self._context.actor,
                cause=Cause.BACKEND_ERROR,
                message=message,
            )

    def _supervise(self, run_id: int, claimed: Run | None = None) -> None:
        supervision = Supervision(self._context, run_id, claimed)
        self._supervisions[run_id] = supervision
        supervision.thread.start()

    def _forget_finished(self) -> None:
        for run_id, supervision in list(self._supervisions.items()):
            if not supervision.thread.is_alive():
                del self._supervisions[run_id]
