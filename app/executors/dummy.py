"""A backend that runs nothing: every run ends at once, well. For trials and tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.executors.base import Leftover, Observation, Phase, RunRequest, StopMode, StoredImage

_OUTPUT = b"The dummy backend ran nothing.\n"


class DummyExecutor:
    """End every run at once with exit code 0 and one line of output; keep nothing."""

    name = "dummy"
    can_stop = True
    can_stream = True
    can_attach = True
    gives_all_output = True

    def prepare(self, request: RunRequest) -> RunRequest:
        """Give the request as it is; there is nothing to fetch."""
        return request

    def create(self, request: RunRequest) -> str:
        """Give the attempt's name as its handle."""
        return request.container_name

    def start(self, handle: str) -> None:
        """Do nothing; the work has ended already."""

    def has_forgotten(self, handle: str) -> bool:
        """Give False: there is nothing to know."""
        return False

    def status(self, handle: str) -> Observation:
        """Say that it ended with exit code 0."""
        return Observation(Phase.ENDED, exit_code=0)

    def wait(self, handle: str, timeout_seconds: float) -> Observation:
        """Say at once that it ended."""
        return self.status(handle)

    def output(self, handle: str, from_byte: int) -> Iterator[bytes]:
        """Give the one line, from the byte asked for."""
        if rest := _OUTPUT[from_byte:]:
            yield rest

    def tail(self, handle: str, limit_bytes: int) -> bytes:
        """Give the end of the one line."""
        return b"".join(self.output(handle, 0))[-limit_bytes:]

    def stop(self, handle: str, mode: StopMode, grace_seconds: int) -> None:
        """Do nothing; what has ended is left as it is."""

    def remove(self, handle: str) -> None:
        """Do nothing; nothing is kept."""

    def leftovers(self, installation: str, node: str) -> list[Leftover]:
        """Give nothing; nothing is kept."""
        return []

    def size(self, handle: str) -> int:
        """Give 0; nothing is kept."""
        return 0

    def images(self) -> list[StoredImage]:
        """Give nothing; there are no images."""
        return []

    def remove_image(self, image_id: str) -> None:
        """Do nothing; there are no images."""

    def ping(self) -> str:
        """Give a version that never changes."""
        return "1"

    def storage(self) -> Path | None:
        """Give None: nothing is kept."""
        return None

    def gap(self) -> str | None:
        """Give None: nothing runs."""
        return None
