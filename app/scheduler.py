"""The clock: APScheduler as an in-memory ticker. It stores nothing; what is due is read from PostgreSQL.

A tick that fails is logged and comes again. Whether the clock still goes is told by the age of its last tick, because
a ticker can be dead while it says that it is running.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from app.clock import utc_now
from app.errors import Unavailable

log = logging.getLogger(__name__)
FIRINGS = "mao.firings"
_LONGEST_SLEEP = timedelta(seconds=30)
_RETRY = timedelta(seconds=1)
_FIRING_INSTANCES = 3


@dataclass(frozen=True)
class Tick:
    """An internal job: its name (``mao.`` something), how often it comes, what it does, and how soon it first does."""

    name: str
    every_seconds: float
    work: Callable[[], object]
    first_after_seconds: float = 0.0


class Clock:
    """Runs the internal jobs, and ``fire_due`` at the very instant at which the next job is due."""

    def __init__(self, ticks: list[Tick], fire_due: Callable[[], datetime | None]) -> None:
        self._ticks = ticks
        self._fire_due = fire_due
        self._last: dict[str, datetime] = {}
        self._beat = time.monotonic()
        self._turn = threading.Lock()
        self._firing = threading.Lock()
        self._has_news = False
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin to tick; everything is done once at once, unless it is to wait first."""
        for tick in self._ticks:
            self._scheduler.add_job(
                self._run,
                "interval",
                [tick.name, tick.work],
                seconds=tick.every_seconds,
                id=tick.name,
                next_run_time=utc_now() + timedelta(seconds=tick.first_after_seconds),
            )
        self._schedule_firing(utc_now())
        # A thread for each, so that one which hangs holds up no other; leases run out while they wait.
        self._scheduler.add_executor(ThreadPoolExecutor(len(self._ticks) + _FIRING_INSTANCES))
        self._scheduler.start()

    def add(self, tick: Tick) -> None:
        """Take one more internal job, before the clock starts."""
        self._ticks.append(tick)

    def do_now(self, name: str) -> None:
        """Let an internal job come now instead of at its next time; a clock that was stopped does nothing."""
        with contextlib.suppress(JobLookupError):
            self._scheduler.modify_job(name, next_run_time=utc_now())

    def stop(self) -> None:
        """Tick no more. What is being done ends by itself: a slow remote must not keep the next term from beginning."""
        self._scheduler.shutdown(wait=False)

    def look_again(self) -> None:
        """Read now what is due next: a job was added or changed."""
        with self._firing:
            self._has_news = True
            self._schedule_firing(utc_now())

    def age_seconds(self) -> float:
        """Tell how long ago the last tick ended."""
        return time.monotonic() - self._beat

    def describe(self) -> dict[str, Any]:
        """Give every internal job with ``everySeconds`` and ``lastTime``."""
        every = {tick.name: tick.every_seconds for tick in self._ticks} | {FIRINGS: None}
        return {
            name: {"everySeconds": seconds, "lastTime": last.isoformat() if (last := self._last.get(name)) else None}
            for name, seconds in every.items()
        }

    def _run(self, name: str, work: Callable[[], object]) -> object | None:
        try:
            return work()
        except Unavailable as error:
            log.warning("%s has to wait: %s", name, error.message)
        except Exception:
            log.exception("%s failed; it comes again.", name)
        finally:
            self._last[name] = utc_now()
            self._beat = time.monotonic()
        return None

    def _fire(self) -> None:
        with self._turn:
            with self._firing:
                self._has_news = False
            due_at = self._read_and_fire()
            with self._firing:
                # A job may have changed after it was read; the later instant must not replace the wish to look again.
                self._schedule_firing(utc_now() if self._has_news else due_at)

    def _read_and_fire(self) -> datetime:
        now = utc_now()
        due_at = now + _RETRY

        def fire() -> None:
            nonlocal due_at
            due_at = min(self._fire_due() or now + _LONGEST_SLEEP, now + _LONGEST_SLEEP)

        self._run(FIRINGS, fire)
        return max(due_at, now)

    def _schedule_firing(self, at: datetime) -> None:
        # More than one instance, because one that is about to return still counts, and APScheduler would drop the next.
        self._scheduler.add_job(
            self._fire, "date", run_date=at, id=FIRINGS, replace_existing=True, max_instances=_FIRING_INSTANCES
        )
