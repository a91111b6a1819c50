"""A child that dies is started again, ever later, until it proves steady."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from app.machine import children
from app.machine.children import Child, Command

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
)


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def child(clock: Clock) -> Iterator[Child]:
    made = Child(Command("The sleeper", SLEEPER, stop_seconds=5), dict(os.environ), clock)
    made.start()
    yield made
    made.stop()


def kill(child: Child) -> None:
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    while child.is_alive:
        time.sleep(0.01)


def test_a_child_that_lives_is_left_alone(child: Child) -> None:
    before = child.pid
    child.watch()
    assert (child.pid, child.deaths) == (before, 0)


def test_a_dead_child_is_started_again_after_the_delay_and_not_before(child: Child, clock: Clock) -> None:
    kill(child)
    child.watch()
    assert not child.is_alive
    clock.now += children.FIRST_DELAY_SECONDS
    child.watch()
    assert child.is_alive
    assert child.deaths == 1


def test_each_early_death_doubles_the_delay_up_to_a_limit(child: Child, clock: Clock) -> None:
    waits = []
    for _ in range(9):
        kill(child)
        died_at = clock.now
        while not child.is_alive:
            child.watch()
            clock.now += 0.25
        waits.append(clock.now - died_at)
    assert waits[:3] == pytest.approx([0.75, 1.25, 2.25])
    assert max(waits) <= children.LONGEST_DELAY_SECONDS + 0.25


def test_a_child_that_was_steady_comes_back_at_once(child: Child, clock: Clock) -> None:
    for _ in range(3):
        kill(child)
        child.watch()
        clock.now += children.LONGEST_DELAY_SECONDS
        child.watch()
    clock.now += children.STEADY_SECONDS
    kill(child)
    child.watch()
    clock.now += children.FIRST_DELAY_SECONDS
    child.watch()
    assert child.is_alive


def test_stopping_waits_for_the_end(child: Child) -> None:
    pid = child.pid
    child.stop()
    assert pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_that_ignores_the_request_is_killed(capfd: pytest.CaptureFixture[str]) -> None:
    child = Child(Command("The deaf one", STUBBORN, stop_seconds=0.2), dict(os.environ))
    child.start()
    while "deaf" not in capfd.readouterr().out:
        time.sleep(0.01)
    child.stop()
    assert not child.is_alive
