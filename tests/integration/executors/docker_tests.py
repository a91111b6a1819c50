"""What tests of the docker backend start from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.executors.base import Executor
from app.executors.docker import DockerExecutor
from app.settings import Docker
from tests.integration import images
from tests.integration.executors.conformance import ExecutorTests

NETWORK = "mao-test-net"


class DockerTests(ExecutorTests):
    image = images.BUSYBOX
    network = "none"

    @pytest.fixture
    def make_executor(self, engine: Any) -> Callable[..., Executor]:
        return lambda **settings: DockerExecutor(Docker(socket=images.SOCKET, network=NETWORK, **settings))

    def said(self, executor: Executor, script: str, **changes: Any) -> bytes:
        handle, _ = self.ended(executor, self.request_for(script, **changes))
        return b"".join(executor.output(handle, 0))

    def created(self, executor: Executor, engine: Any, **changes: Any) -> dict[str, Any]:
        handle = executor.create(executor.prepare(self.request_for(**changes)))
        return dict(engine.inspect_container(handle))
