"""A run as the services give it, and what every stub does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.models.file import RunFile
from app.models.run import Run

CONTENT = Path(__file__)
"""What every uploaded file holds."""
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


def a_run(number: int = 1, **changes: Any) -> Run:
    known = {
        "id": number,
        "tool": "spike",
        "status": "RUNNING",
        "parameters": {"timeout_seconds": 60, "env": {"SOME_KEY": "x"}},
        "labels": {"some_label": "x"},
        "description": "",
        "submitter": "root",
        "owner": "operator",
        "backend": "docker",
        "attempt": 1,
        "defined_at": NOON,
        "warnings": [],
        "spike": {"rolling_average": 900.0},
    }
    return Run(**{**known, **changes})


def a_file(file_id: str = "a.csv", run_id: int = 1, size_bytes: int = 25) -> RunFile:
    return RunFile(
        file_id=file_id,
        run_id=run_id,
        size_bytes=size_bytes,
        sha256="0f" * 32,
        uploaded_by="root",
        uploaded_at=NOON,
    )


class Recorder:
    """Notes every call as (method, arguments, options)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def note(self, method: str, *arguments: Any, **options: Any) -> None:
        self.calls.append((method, arguments, options))
