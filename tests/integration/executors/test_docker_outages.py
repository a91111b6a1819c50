"""The docker backend while the engine comes and goes."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.errors import DockerDown
from app.executors.base import Executor, Phase, RunRequest, StopMode
from app.executors.docker import DockerExecutor
from app.settings import Docker
from tests.integration import images
from tests.integration.executors.conformance import (
    IN_DATA_FOLDER,
    INSTALLATION,
    LIMITS,
    NODE,
    PATIENCE_SECONDS,
    ExecutorTests,
)
from tests.integration.executors.docker_tests import DockerTests
from tests.integration.executors.proxy import EngineProxy

pytestmark = pytest.mark.docker


class TestOutages(ExecutorTests):
    image = images.BUSYBOX
    network = "none"

    @pytest.fixture
    def proxy(self, tmp_path: Path) -> Iterator[EngineProxy]:
        made = EngineProxy(tmp_path)
        yield made
        made.close()

    @pytest.fixture
    def make_executor(self, proxy: EngineProxy) -> Callable[[], Executor]:
        images.busybox_image()
        return lambda: DockerExecutor(Docker(socket=proxy.address))

    @pytest.fixture
    def executor(self, make_executor: Callable[[], Executor], proxy: EngineProxy) -> Iterator[Executor]:
        made = make_executor()
        yield made
        proxy.mend()
        for leftover in made.leftovers(INSTALLATION, NODE):
            made.remove(leftover.handle)

    def test_a_reader_and_a_waiter_hear_at_once_that_the_engine_died(
        self, executor: Executor, proxy: EngineProxy
    ) -> None:
        handle = self.begun(executor, self.request_for("echo first; sleep 60"))
        stream = executor.output(handle, 0)
        assert next(stream) == b"first\n"
        with ThreadPoolExecutor(2) as pool:
            reading = pool.submit(next, stream)
            waiting = pool.submit(executor.wait, handle, PATIENCE_SECONDS)
            # They should be in the middle of their calls by now; they must hear of it in any case.
            time.sleep(0.5)
            proxy.cut()
            for heard in (reading, waiting):
                with pytest.raises(DockerDown):
                    heard.result(PATIENCE_SECONDS)

    def test_after_an_outage_everything_goes_on_where_it_was(
        self, executor: Executor, proxy: EngineProxy, data_dir: Path
    ) -> None:
        script = IN_DATA_FOLDER + "echo first; until test -e go; do sleep 0.05; done; echo last; exit 4"
        handle = self.begun(executor, self.request_for(script, data_dir=str(data_dir)))
        stream = executor.output(handle, 0)
        before = next(stream)
        proxy.cut()
        with pytest.raises(DockerDown):
            next(stream)
        (data_dir / "go").touch()
        with pytest.raises(DockerDown):
            executor.status(handle)
        proxy.mend()
        assert executor.wait(handle, PATIENCE_SECONDS).exit_code == 4
        assert before + b"".join(executor.output(handle, len(before))) == b"first\nlast\n"

    def test_a_creation_whose_answer_was_lost_is_found_again(self, executor: Executor, proxy: EngineProxy) -> None:
        request = executor.prepare(self.request_for())
        proxy.loses_replies = True
        with pytest.raises(DockerDown):
            executor.create(request)
        proxy.mend()
        (made,) = executor.leftovers(INSTALLATION, NODE)
        assert executor.create(request) == made.handle

    def test_a_start_whose_answer_was_lost_is_not_repeated(
        self, executor: Executor, proxy: EngineProxy, data_dir: Path
    ) -> None:
        request = self.request_for(IN_DATA_FOLDER + "echo ran >> runs", data_dir=str(data_dir))
        handle = executor.create(executor.prepare(request))
        direct = DockerExecutor(Docker(socket=images.SOCKET))
        direct.start(handle)
        proxy.loses_replies = True
        with pytest.raises(DockerDown):
            executor.start(handle)
        proxy.mend()
        executor.start(handle)
        assert executor.wait(handle, PATIENCE_SECONDS).phase is Phase.ENDED
        assert (data_dir / "runs").read_text() == "ran\n"

    def test_a_stop_during_an_outage_can_be_asked_for_again(self, executor: Executor, proxy: EngineProxy) -> None:
        handle = self.begun(executor, self.request_for("sleep 60"))
        proxy.cut()
        with pytest.raises(DockerDown):
            executor.stop(handle, StopMode.GRACE, 1)
        proxy.mend()
        executor.stop(handle, StopMode.GRACE, 1)
        assert executor.status(handle).phase is Phase.ENDED


class TestReplacedEngine(DockerTests):
    def test_an_engine_knows_what_it_made_until_its_memory_is_full(self, executor: Executor, engine: Any) -> None:
        handle = executor.create(executor.prepare(self.request_for()))
        assert not executor.has_forgotten(handle)
        # An engine that was started anew has no events at all; this one is made to forget its first ones.
        for number in range(140):
            engine.create_volume(f"mao-test-crowd-{number}")
            engine.remove_volume(f"mao-test-crowd-{number}")
        assert executor.has_forgotten(handle)
        executor.remove(handle)


class TestEngineDown:
    def test_every_call_says_that_the_engine_is_down(self, tmp_path: Path) -> None:
        down = DockerExecutor(Docker(socket=f"unix://{tmp_path}/none.sock"))
        request = RunRequest(1, 1, "node", "installation", "tool", "image", LIMITS, network="none")
        calls: list[Callable[[], object]] = [
            down.ping,
            lambda: down.prepare(request),
            lambda: down.create(request),
            lambda: down.start("handle"),
            lambda: down.status("handle"),
            lambda: down.has_forgotten("handle"),
            lambda: down.wait("handle", 0.1),
            lambda: list(down.output("handle", 0)),
            lambda: down.stop("handle", StopMode.GRACE, 1),
            lambda: down.remove("handle"),
            lambda: down.leftovers("installation", "node"),
            down.gap,
        ]
        for call in calls:
            with pytest.raises(DockerDown):
                call()
        with pytest.raises(DockerDown, match=f"at unix://{tmp_path}/none.sock"):
            down.ping()

    def test_an_engine_that_never_answers_is_down(self, tmp_path: Path) -> None:
        with closing(socket.socket(socket.AF_UNIX)) as silent:
            silent.bind(str(tmp_path / "silent.sock"))
            silent.listen(16)
            frozen = DockerExecutor(Docker(socket=f"unix://{tmp_path}/silent.sock", timeout_seconds=1))
            with pytest.raises(DockerDown):
                frozen.ping()
