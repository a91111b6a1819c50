"""Does the record say what is true? Rows are compared with the engine's own list all the time, and lies are timed."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import docker
import psycopg2

from tests.chaos.world import NODE, World

_POLL_SECONDS = 0.25
_LIVE = "select id, status, attempt from runs where ended_at is null and status not in ('DEFINED', 'WAITING_LOCKS')"
_SHOWN_RUNNING = {"SUBMITTED", "RUNNING", "ABORTING"}
Attempt = tuple[int, int]


@dataclass
class Lie:
    """An attempt that was shown wrongly, from when until when, by the monotonic clock."""

    attempt: Attempt
    began: float
    ended: float


class Watcher:
    """Compares record and engine again and again, from the moment that it is made."""

    def __init__(self, world: World) -> None:
        self.lies: list[Lie] = []
        self._world = world
        self._now: dict[Attempt, Lie] = {}
        self._looks = 0
        threading.Thread(target=self._watch, name="watcher", daemon=True).start()

    def wait_until_true(self, seconds: float) -> list[Attempt]:
        """Wait until nothing that is wrong now is wrong any more, and give what still is when the time is over."""
        looks, deadline = self._looks, time.monotonic() + seconds
        while self._looks < looks + 2 and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        # What is wrong anew is another thing: a tool that ends now is shown as ended a moment after.
        wrong = {id(lie) for lie in self._now.values()}
        while (left := [key for key, lie in list(self._now.items()) if id(lie) in wrong]) and (
            time.monotonic() < deadline
        ):
            time.sleep(_POLL_SECONDS)
        return left

    def _watch(self) -> None:
        while True:
            # Where nothing can be seen, what was wrong counts as wrong until it is seen to be right.
            with suppress(psycopg2.Error, docker.errors.DockerException, OSError):
                self._note(lies(self._world), time.monotonic())
            time.sleep(_POLL_SECONDS)

    def _note(self, wrong: set[Attempt], now: float) -> None:
        for attempt in self._now.keys() - wrong:
            lie = self._now.pop(attempt)
            lie.ended = now
            self.lies.append(lie)
        for attempt in wrong - self._now.keys():
            self._now[attempt] = Lie(attempt, now, now)
        self._looks += 1


def containers(world: World) -> dict[Attempt, str]:
    """Give the state of the container of every attempt, as the engine lists them."""
    client = docker.APIClient(world.engine.address, timeout=10)
    try:
        listed = client.containers(all=True, filters={"label": f"mao.node={NODE}"})
    finally:
        client.close()
    return {(int(one["Labels"]["mao.run"]), int(one["Labels"]["mao.attempt"])): one["State"] for one in listed}


def lies(world: World) -> set[Attempt]:
    """Give the attempts whose record says something else than the engine.

    A run without a container that is about to get one says nothing wrong; one that is shown as running must run.
    """
    rows = {(run_id, attempt): status for run_id, status, attempt in world.query(_LIVE)}
    seen = containers(world)
    found = {key for key, status in rows.items() if status == "RUNNING" and seen.get(key) != "running"}
    for key, state in seen.items():
        status = rows.get(key)
        if (state == "running" and status not in _SHOWN_RUNNING) or (state == "exited" and status is not None):
            found.add(key)
    return found


def delays(told: Sequence[Lie], returns: Sequence[float]) -> list[float]:
    """Give for each lie the seconds that it lasted after the last part that came back meanwhile was back."""
    return [lie.ended - max([lie.began, *(at for at in returns if lie.began <= at <= lie.ended)]) for lie in told]
