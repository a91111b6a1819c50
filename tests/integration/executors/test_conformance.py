"""The conformance suite against each backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.executors.base import Executor, Observation, Phase
from app.executors.docker import DockerExecutor
from app.executors.dummy import DummyExecutor
from app.executors.process import ProcessExecutor
from app.settings import Docker
from tests.integration.executors.conformance import INSTALLATION, NODE, AnyExecutor, RealExecutor
from tests.integration.images import BUSYBOX, SOCKET, busybox_image


@pytest.mark.docker
class TestDocker(RealExecutor):
    image = BUSYBOX
    network = "none"

    @pytest.fixture
    def make_executor(self) -> Callable[[], Executor]:
        busybox_image()
        return lambda: DockerExecutor(Docker(socket=SOCKET))


class TestProcess(RealExecutor):
    @pytest.fixture
    def make_executor(self, tmp_path: Path) -> Callable[[], Executor]:
        return lambda: ProcessExecutor(tmp_path / "runs")


class TestDummy(AnyExecutor):
    @pytest.fixture
    def make_executor(self) -> Callable[[], Executor]:
        return DummyExecutor

    def test_it_keeps_nothing_and_has_always_ended_well(self, executor: Executor) -> None:
        handle = executor.create(executor.prepare(self.request_for("exit 1")))
        assert executor.leftovers(INSTALLATION, NODE) == []
        executor.remove(handle)
        assert executor.status(handle) == Observation(Phase.ENDED, exit_code=0)
