"""Calls to the API by the standard library alone, so that little of what is measured is the client's own time."""

from __future__ import annotations

import http.client
import json
from collections.abc import Collection
from typing import Any

_TIMEOUT_SECONDS = 90
_FINAL = frozenset({"SUCCEEDED", "FAILED", "ABORTED", "IN_DOUBT"})


class Client:
    """One caller of the API. A call opens a connection of its own, because the API keeps none."""

    def __init__(self, port: int, token: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.token = token
        self._port = port

    def get(self, path: str, accepted: Collection[int] = (200,)) -> dict[str, Any]:
        """Give the JSON of an answer whose status is accepted.

        Raises:
            RuntimeError: the status is another one.
        """
        return self._accepted("GET", path, None, accepted)

    def post(self, path: str, body: dict[str, Any], accepted: Collection[int] = (202,)) -> dict[str, Any]:
        """Send JSON, and give the JSON of an answer whose status is accepted; errors as for ``get``."""
        return self._accepted("POST", path, json.dumps(body), accepted)

    def status_of(self, path: str) -> int:
        """Give the status of an answer, or 0 where nothing answers."""
        try:
            return self._call("GET", path, None)[0]
        except (OSError, http.client.HTTPException):
            return 0

    def submit(self, tool: str) -> int:
        """Submit a run of a tool, and give its number."""
        return int(self.post(f"/api/tools/{tool}/runs", {})["runId"])

    def final(self, run_id: int) -> dict[str, Any]:
        """Wait until a run is over, and give it.

        Raises:
            RuntimeError: it did not succeed, so its times say nothing.
        """
        run = self.get(f"/api/runs/{run_id}/wait?timeout=60")
        while run["status"] not in _FINAL:
            run = self.get(f"/api/runs/{run_id}/wait?timeout=60")
        if run["status"] != "SUCCEEDED":
            raise RuntimeError(f"Run {run_id} is {run['status']}: {run['message']}")
        return run

    def _accepted(self, method: str, path: str, body: str | None, accepted: Collection[int]) -> dict[str, Any]:
        status, answer = self._call(method, path, body)
        if status not in accepted:
            raise RuntimeError(f"{method} {path} was answered with {status}: {answer!r}")
        return dict(json.loads(answer))

    def _call(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)
        headers = {"X-Api-Token": self.token, "Content-Type": "application/json"}
        try:
            wire.request(method, path, body, headers)
            answer = wire.getresponse()
            return answer.status, answer.read()
        finally:
            wire.close()
