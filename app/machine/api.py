"""The few calls that `mao` makes to its own API, by the standard library alone."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from app.errors import Unauthenticated, Unavailable
from app.machine.instance import Connection

_TIMEOUT_SECONDS = 10
_LIVE = ("DEFINED", "WAITING_LOCKS", "PENDING_SUBMIT", "SUBMITTED", "RUNNING", "ABORTING")
NEEDED_SYSTEMS = ("postgres", "etcd", "agent")
"""Without these nothing works. A container engine may come later: the runs that need it wait for it."""


def call(connection: Connection, method: str, path: str) -> tuple[int, dict[str, Any]]:
    """Give the status and the JSON of one answer.

    Raises:
        Unavailable: nothing answers there, or not like our API.
    """
    place = urlsplit(connection.url)
    wire = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port or 80, timeout=_TIMEOUT_SECONDS)
    try:
        wire.request(method, path, headers={"X-Api-Token": connection.token})
        answer = wire.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else {}
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"The API at {connection.url} does not answer.") from error
    finally:
        wire.close()


def missing_systems(connection: Connection, needed: Sequence[str] = NEEDED_SYSTEMS) -> list[str]:
    """Give those of the needed systems that are not up; all of them while the API does not answer.

    Raises:
        Unauthenticated: the API does not know the token.
    """
    try:
        status, answer = call(connection, "GET", "/readyz")
    except Unavailable:
        return list(needed)
    if status == http.client.UNAUTHORIZED:
        raise Unauthenticated(f"The API at {connection.url} does not know the stored token.")
    systems = answer.get("systems", {})
    return [name for name in needed if not systems.get(name, {}).get("isUp")]


def stop_live_runs(connection: Connection, within_seconds: float) -> int:
    """Stop every run that is not final, wait for the last one, and give how many there were.

    Raises:
        Unavailable: the API does not answer, or some runs are still live when the time is over.
    """
    stopped = live_runs(connection)
    for run_id in stopped:
        call(connection, "DELETE", f"/api/runs/{run_id}?force=true")
    deadline = time.monotonic() + within_seconds
    while left := live_runs(connection):
        if time.monotonic() > deadline:
            raise Unavailable(f"{len(left)} run(s) did not stop in {within_seconds:.0f} s.")
        time.sleep(0.2)
    return len(stopped)


def live_runs(connection: Connection) -> list[int]:
    """Give the numbers of the runs that are not final."""
    found = []
    for status in _LIVE:
        _, page = call(connection, "GET", f"/api/runs?status={status}&limit=500")
        found += [int(run["id"]) for run in page.get("items", [])]
    return found
