"""Answers as the server gives them."""

from __future__ import annotations

from typing import Any

from tests.unit.cli.conftest import Reply, StubServer

TOOL: dict[str, Any] = {
    "name": "spike",
    "author": "panos",
    "image": "panosece/spike:latest",
    "data_repo": "spike",
    "code_repo": "",
    "artefact": "",
    "owner": "node-a",
    "command": [],
    "env": {},
}
JOB: dict[str, Any] = {
    "id": "spike",
    "tool": "spike",
    "schedule": "0 0 * * *",
    "zone": "UTC",
    "nextRunTime": "2026-11-23T00:00:00+00:00",
    "pausedTime": None,
    "lastRunId": 11,
}
REPORT_TEXT = "Report:\nTool image: panosece/spike:latest\nGain:0.0%\nNo data anomalies detected"


def a_run(status: str, **values: Any) -> dict[str, Any]:
    return {"id": 12, "tool": "spike", "status": status, "cause": None, "waitingFor": None, **values}


def a_clone(state: str, **values: Any) -> dict[str, Any]:
    return {"name": "spike", "state": state, "progressPercent": 40, "message": "", "path": "/srv/spike", **values}


def a_page(*items: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    return {"items": list(items), "next": following}


def a_report(verdict: str | None = "ok", text: str = REPORT_TEXT) -> dict[str, Any]:
    return {"runId": 12, "verdict": verdict, "text": text}


def prepare_run(server: StubServer, status: str, *, verdict: str | None = "ok", text: str = REPORT_TEXT) -> None:
    """Let run 12 be accepted and end in ``status``."""
    server.on("POST", "/api/tools/spike/runs", Reply(202, {"runId": 12}))
    server.on("GET", "/api/runs/12", Reply(values=a_run(status)))
    server.on("GET", "/api/runs/12/wait", Reply(values=a_run("RUNNING")), Reply(values=a_run(status)))
    server.on("GET", "/api/runs/12/report", Reply(values=a_report(verdict, text)))


def prepare_output(server: StubServer, *pieces: bytes) -> None:
    """Let run 12 have printed ``pieces``, each in an answer of its own."""
    replies, offset = [], 0
    for piece in pieces:
        offset += len(piece)
        replies.append(Reply(body=piece, headers={"X-Next-Offset": str(offset)}))
    server.on("GET", "/api/runs/12/output.txt", *replies, Reply(headers={"X-Next-Offset": str(offset)}))
