"""Does the record say what is true? Rows are compared with the engine's own list, and lies are timed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import docker
import psycopg2

from tests.chaos.world import NODE, World

_POLL_SECONDS = 0.2
_GIVE_UP_SECONDS = 90.0
_LIVE = "select id, status, attempt from runs where ended_at is null and status not in ('DEFINED', 'WAITING_LOCKS')"
_SHOWN_RUNNING = {"SUBMITTED", "RUNNING", "ABORTING"}


@dataclass
class Recovery:
    """How long after everything was back each run that was shown wrongly was shown rightly, in seconds."""

    live: int = 0
    seconds: list[float] = field(default_factory=list)
    never: list[int] = field(default_factory=list)


def containers(world: World) -> dict[tuple[int, int], str]:
    """Give (run, attempt) -> state of every container of the product, as the engine lists them."""
    client = docker.APIClient(world.engine.address, timeout=10)
    try:
        listed = client.containers(all=True, filters={"label": f"mao.node={NODE}"})
    finally:
        client.close()
    return {(int(one["Labels"]["mao.run"]), int(one["Labels"]["mao.attempt"])): one["State"] for one in listed}


def lies(world: World) -> set[tuple[int, int]]:
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


def recover(world: World) -> Recovery:
    """Time how long what is wrong now, when everything is back, goes on to be wrong."""
    began, wrong = time.monotonic(), None
    result = Recovery(live=len(world.query(_LIVE)))
    while time.monotonic() - began < _GIVE_UP_SECONDS:
        try:
            now = lies(world)
        except (psycopg2.Error, docker.errors.DockerException, OSError):
            time.sleep(_POLL_SECONDS)
            continue
        if wrong is None:
            wrong = now
        result.seconds += [time.monotonic() - began] * len(wrong - now)
        # What is wrong anew began later: a tool that ends now is shown as ended a moment after.
        wrong &= now
        if not wrong:
            return result
        time.sleep(_POLL_SECONDS)
    result.never = [run_id for run_id, _ in wrong or ()]
    return result
