"""The clock: ticks come again after a failure, and its age tells whether it still goes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from app.clock import utc_now
from app.errors import DatabaseDown
from app.scheduler import FIRINGS, Clock, Tick

PATIENCE_SECONDS = 10


class Counter:
    """Counts its calls; the first ones may raise."""

    def __init__(self, *errors: Exception) -> None:
        self.calls = 0
        self.reached_three = threading.Event()
        self._errors = list(errors)

    def __call__(self) -> None:
        self.calls += 1
        if self.calls >= 3:
            self.reached_three.set()
        if self._errors:
            raise self._errors.pop(0)


def _never() -> datetime | None:
    return None


@pytest.fixture
def start() -> Iterator[Callable[..., Clock]]:
    started: list[Clock] = []

    def make(ticks: list[Tick], fire_due: Callable[[], datetime | None] = _never) -> Clock:
        clock = Clock(ticks, fire_due)
        clock.start()
        started.append(clock)
        return clock

    yield make
    for clock in started:
        clock.stop()


def test_a_clock_that_was_not_started_starts_no_thread() -> None:
    before = threading.active_count()
    Clock([Tick("mao.x", 1, _never)], _never)
    assert threading.active_count() == before


def test_a_tick_that_is_to_wait_first_does_so(start: Callable[..., Clock]) -> None:
    patient, eager = Counter(), Counter()
    start([Tick("mao.patient", 0.01, patient, first_after_seconds=3600.0), Tick("mao.eager", 0.01, eager)])
    assert eager.reached_three.wait(PATIENCE_SECONDS)
    assert patient.calls == 0


@pytest.mark.parametrize("error", [DatabaseDown("PostgreSQL does not answer."), RuntimeError("a defect")])
def test_a_tick_that_fails_comes_again(start: Callable[..., Clock], error: Exception) -> None:
    work = Counter(error)
    clock = start([Tick("mao.x", 0.05, work)])
    assert work.reached_three.wait(PATIENCE_SECONDS)
    assert clock.age_seconds() < PATIENCE_SECONDS


def test_firing_comes_at_the_instant_that_was_named(start: Callable[..., Clock]) -> None:
    called: list[datetime] = []
    again = threading.Event()

    def fire_due() -> datetime | None:
        called.append(utc_now())
        if len(called) == 1:
            return utc_now() + timedelta(milliseconds=300)
        again.set()
        return None

    start([], fire_due)
    assert again.wait(PATIENCE_SECONDS)
    assert called[1] - called[0] >= timedelta(milliseconds=300)


def test_firing_that_fails_is_tried_again(start: Callable[..., Clock]) -> None:
    work = Counter(DatabaseDown("PostgreSQL does not answer."), RuntimeError("a defect"))
    start([], work)  # type: ignore[arg-type]
    assert work.reached_three.wait(PATIENCE_SECONDS)


def test_a_changed_job_is_looked_at_now(start: Callable[..., Clock]) -> None:
    called = threading.Semaphore(0)

    def fire_due() -> datetime | None:
        called.release()
        return None

    clock = start([], fire_due)
    assert called.acquire(timeout=PATIENCE_SECONDS)
    clock.look_again()
    assert called.acquire(timeout=PATIENCE_SECONDS)


def test_a_tick_may_be_asked_for_now(start: Callable[..., Clock]) -> None:
    called = threading.Semaphore(0)
    clock = start([Tick("mao.rare", 3600, lambda: called.release())])
    assert called.acquire(timeout=PATIENCE_SECONDS)
    clock.do_now("mao.rare")
    assert called.acquire(timeout=PATIENCE_SECONDS)


def test_internal_jobs_are_described_with_their_last_time(start: Callable[..., Clock]) -> None:
    work = Counter()
    clock = start([Tick("mao.x", 0.05, work)])
    assert work.reached_three.wait(PATIENCE_SECONDS)
    described = clock.describe()
    assert set(described) == {"mao.x", FIRINGS}
    assert described["mao.x"]["everySeconds"] == 0.05
    assert datetime.fromisoformat(described["mao.x"]["lastTime"]).tzinfo is not None


def test_a_tick_is_held_up_by_no_other_however_many_hang(start: Callable[..., Clock]) -> None:
    let_go, counter = threading.Event(), Counter()
    hanging = [Tick(f"mao.hangs{number}", 1, let_go.wait) for number in range(20)]
    start([*hanging, Tick("mao.goes", 0.05, counter)])
    came = counter.reached_three.wait(PATIENCE_SECONDS)
    let_go.set()
    assert came


def test_a_clock_that_was_stopped_may_still_be_told_to_do_something_now() -> None:
    counter = Counter()
    clock = Clock([Tick("mao.x", 0.05, counter)], _never)
    clock.start()
    assert counter.reached_three.wait(PATIENCE_SECONDS)
    clock.stop()
    clock.do_now("mao.x")
