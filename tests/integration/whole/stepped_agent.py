"""A real agent's dispatcher over the dummy backend, which works only when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from app.agent import _take_office
from app.models.run import FINAL, RunStatus
from app.repositories.runs import RunRepository
from app.services.dispatching import Dispatcher
from app.settings import Settings
from app.wiring import equip

_PATIENCE_LOOKS = 1200
_LOOK_SECONDS = 0.05


class SteppedAgent:
    """One term of office."""

    def __init__(self, settings: Settings) -> None:
        self._parts = equip(settings)
        self._context = _take_office(self._parts)
        self._dispatcher = Dispatcher(self._context, self._parts.planner)

    def work_off(self, run_ids: Sequence[int]) -> None:
        """Claim and finish the runs, and return when the last of them is final."""
        for _ in range(_PATIENCE_LOOKS):
            self._dispatcher.step()
            if self._are_final(run_ids):
                return
            threading.Event().wait(_LOOK_SECONDS)
        raise AssertionError(f"Runs {list(run_ids)} did not end.")

    def end(self) -> None:
        self._context.lost.set()
        self._parts.database.close()

    def _are_final(self, run_ids: Sequence[int]) -> bool:
        with self._parts.database.transaction() as session:
            runs = RunRepository(session)
            return all(RunStatus(runs.get(run_id).status) in FINAL for run_id in run_ids)
