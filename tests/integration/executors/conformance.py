"""What every backend must do, as tests. A backend's test class gives ``make_executor``, an image and a network."""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import BackendFailed
from app.executors.base import Executor, Limits, Observation, Phase, RunRequest, StopMode
from app.models.run import Cause

INSTALLATION = f"test-{uuid.uuid4().hex[:12]}"
NODE = f"test-{uuid.uuid4().hex[:6]}"
LIMITS = Limits(memory_mb=256, cpus=1.0, pids=64, timeout_seconds=60)
IN_DATA_FOLDER = 'cd "${MAO_DATA_DIR:-/usr/src/app/data}" && '
PATIENCE_SECONDS = 60

_numbers = itertools.count(1)


class ExecutorTests:
    """What tests of a backend start from; it holds no test itself."""

    image = ""
    network = ""

    @pytest.fixture
    def make_executor(self) -> Callable[[], Executor]:
        raise NotImplementedError

    @pytest.fixture
    def executor(self, make_executor: Callable[[], Executor]) -> Iterator[Executor]:
        made = make_executor()
        yield made
        for leftover in made.leftovers(INSTALLATION, NODE):
            made.remove(leftover.handle)

    @pytest.fixture
    def data_dir(self, tmp_path: Path) -> Path:
        folder = tmp_path / "data"
        folder.mkdir()
        return folder

    def request_for(self, script: str = "true", **changes: Any) -> RunRequest:
        """Give a request for a new run of a shell script."""
        values = {
            "run_id": next(_numbers),
            "attempt": 1,
            "node": NODE,
            "installation": INSTALLATION,
            "tool": "tool",
            "image": self.image,
            "network": self.network,
            "limits": LIMITS,
            "command": ("sh", "-c", script),
        }
        return RunRequest(**(values | changes))

    def begun(self, executor: Executor, request: RunRequest) -> str:
        handle = executor.create(executor.prepare(request))
        executor.start(handle)
        return handle

    def ended(self, executor: Executor, request: RunRequest) -> tuple[str, Observation]:
        handle = self.begun(executor, request)
        seen = executor.wait(handle, PATIENCE_SECONDS)
        assert seen.phase is Phase.ENDED
        return handle, seen

    def until(self, executor: Executor, handle: str, path: Path) -> None:
        """Wait until the tool has made ``path``; fail where it ended without."""
        for _ in range(PATIENCE_SECONDS * 10):
            if path.exists():
                return
            assert executor.wait(handle, 0.1).phase is Phase.RUNNING
        raise AssertionError(f"{path.name} was not made")


class AnyExecutor(ExecutorTests):
    """Holds for every backend, also for one that runs nothing."""

    def test_it_has_a_name_and_gives_a_version(self, executor: Executor) -> None:
        assert executor.name
        assert executor.ping()

    def test_a_run_ends_with_exit_code_0(self, executor: Executor) -> None:
        _, seen = self.ended(executor, self.request_for())
        assert (seen.exit_code, seen.is_oom) == (0, False)

    def test_creating_twice_gives_the_same_handle(self, executor: Executor) -> None:
        request = executor.prepare(self.request_for())
        assert executor.create(request) == executor.create(request)

    def test_two_attempts_have_two_handles(self, executor: Executor) -> None:
        request = executor.prepare(self.request_for())
        assert executor.create(request) != executor.create(replace(request, attempt=2))

    def test_stopping_an_ended_one_changes_nothing(self, executor: Executor) -> None:
        handle, before = self.ended(executor, self.request_for())
        executor.stop(handle, StopMode.GRACE, 1)
        executor.stop(handle, StopMode.FORCE, 0)
        assert executor.status(handle) == before

    def test_removing_twice_is_no_error(self, executor: Executor) -> None:
        handle, _ = self.ended(executor, self.request_for())
        executor.remove(handle)
        executor.remove(handle)

    def test_output_can_be_read_from_its_end(self, executor: Executor) -> None:
        handle, _ = self.ended(executor, self.request_for("echo something"))
        whole = b"".join(executor.output(handle, 0))
        assert whole.endswith(b"\n")
        assert list(executor.output(handle, len(whole))) == []

    def test_only_a_backend_with_images_lists_some_and_removing_an_absent_one_is_no_error(
        self, executor: Executor
    ) -> None:
        assert bool(executor.images()) == bool(self.image)
        executor.remove_image("sha256:" + "0" * 64)

    def test_what_an_attempt_takes_is_a_number_of_bytes(self, executor: Executor) -> None:
        handle, _ = self.ended(executor, self.request_for("echo something > /tmp/$$"))
        assert executor.size(handle) >= 0
        executor.remove(handle)
        assert executor.size(handle) == 0


class RealExecutor(AnyExecutor):
    """Holds for every backend that runs something."""

    def test_what_was_created_does_not_run(self, executor: Executor, data_dir: Path) -> None:
        request = self.request_for(IN_DATA_FOLDER + "echo ran >> runs", data_dir=str(data_dir))
        handle = executor.create(executor.prepare(request))
        assert executor.wait(handle, 0.5).phase is Phase.CREATED
        assert list(executor.output(handle, 0)) == []
        assert not (data_dir / "runs").exists()

    def test_what_was_just_created_is_not_forgotten(self, executor: Executor) -> None:
        handle = executor.create(executor.prepare(self.request_for()))
        assert not executor.has_forgotten(handle)
        executor.remove(handle)

    def test_starting_twice_runs_once(self, executor: Executor, data_dir: Path) -> None:
        request = self.request_for(IN_DATA_FOLDER + "echo ran >> runs; sleep 1", data_dir=str(data_dir))
        handle = self.begun(executor, request)
        executor.start(handle)
        executor.wait(handle, PATIENCE_SECONDS)
        assert (data_dir / "runs").read_text() == "ran\n"

    def test_an_ended_one_is_never_started_again(
        self, executor: Executor, make_executor: Callable[[], Executor], data_dir: Path
    ) -> None:
        handle, _ = self.ended(executor, self.request_for(IN_DATA_FOLDER + "echo ran >> runs", data_dir=str(data_dir)))
        make_executor().start(handle)
        assert executor.wait(handle, PATIENCE_SECONDS).phase is Phase.ENDED
        assert (data_dir / "runs").read_text() == "ran\n"

    def test_many_starts_at_once_run_once(
        self, executor: Executor, make_executor: Callable[[], Executor], data_dir: Path
    ) -> None:
        request = self.request_for(IN_DATA_FOLDER + "echo ran >> runs; sleep 1", data_dir=str(data_dir))
        handle = executor.create(executor.prepare(request))
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda one: one.start(handle), [make_executor() for _ in range(6)]))
        executor.wait(handle, PATIENCE_SECONDS)
        assert (data_dir / "runs").read_text() == "ran\n"

    def test_many_creations_at_once_give_one_handle(self, executor: Executor) -> None:
        request = executor.prepare(self.request_for())
        with ThreadPoolExecutor(20) as pool:
            handles = set(pool.map(executor.create, [request] * 20))
        assert len(handles) == 1
        assert len(executor.leftovers(INSTALLATION, NODE)) == 1

    def test_the_exit_code_is_the_tools(self, executor: Executor) -> None:
        _, seen = self.ended(executor, self.request_for("exit 3"))
        assert seen.exit_code == 3
        assert not seen.is_oom

    def test_an_end_by_a_signal_is_128_and_its_number(self, executor: Executor) -> None:
        _, seen = self.ended(executor, self.request_for("kill -9 $$"))
        assert seen.exit_code == 137

    def test_a_missing_command_is_a_tool_error(self, executor: Executor) -> None:
        request = self.request_for(command=("/no/such/command",))
        try:
            handle, seen = self.ended(executor, request)
        except BackendFailed as error:
            assert error.cause == Cause.TOOL_ERROR
            assert "127" in error.message
        else:
            assert seen.exit_code == 127
            assert b"/no/such/command" in b"".join(executor.output(handle, 0))

    def test_times_are_aware_and_in_order(self, executor: Executor) -> None:
        _, seen = self.ended(executor, self.request_for("sleep 2"))
        assert seen.started_at and seen.ended_at and seen.started_at.tzinfo
        # A busy engine notes the start a moment after the tool has begun, hence two seconds of sleep for one.
        assert 1 <= (seen.ended_at - seen.started_at).total_seconds() < PATIENCE_SECONDS

    def test_both_streams_are_output(self, executor: Executor) -> None:
        handle, _ = self.ended(executor, self.request_for("echo out; echo err >&2"))
        assert sorted(b"".join(executor.output(handle, 0)).split()) == [b"err", b"out"]

    def test_output_starts_at_any_byte(self, executor: Executor) -> None:
        handle, _ = self.ended(executor, self.request_for("seq 1 2000"))
        whole = b"".join(b"%d\n" % number for number in range(1, 2001))
        for start in (0, 1, 4321, len(whole) - 1, len(whole)):
            assert b"".join(executor.output(handle, start)) == whole[start:]

    def test_output_keeps_every_byte(self, executor: Executor, data_dir: Path) -> None:
        content = bytes(range(256)) * 400 + os.urandom(100_000) + b"\n"
        (data_dir / "bytes").write_bytes(content)
        handle, _ = self.ended(executor, self.request_for(IN_DATA_FOLDER + "cat bytes", data_dir=str(data_dir)))
        assert b"".join(executor.output(handle, 0)) == content

    def test_output_without_a_last_newline_gets_none(self, executor: Executor) -> None:
        handle, _ = self.ended(executor, self.request_for("printf abc"))
        assert b"".join(executor.output(handle, 0)) == b"abc"

    def test_output_is_followed_until_the_end(self, executor: Executor) -> None:
        handle = self.begun(executor, self.request_for("echo first; sleep 1; echo last"))
        assert b"".join(executor.output(handle, 0)) == b"first\nlast\n"
        assert executor.wait(handle, PATIENCE_SECONDS).phase is Phase.ENDED

    def test_a_new_agent_goes_on_at_the_right_byte(
        self, executor: Executor, make_executor: Callable[[], Executor]
    ) -> None:
        handle = self.begun(executor, self.request_for("for i in $(seq 1 200); do echo line $i; sleep 0.01; done"))
        stream = executor.output(handle, 0)
        before = next(stream) + next(stream)
        stream.close()  # type: ignore[attr-defined]
        after = b"".join(make_executor().output(handle, len(before)))
        assert before + after == b"".join(b"line %d\n" % number for number in range(1, 201))

    def test_output_that_nobody_reads_on_can_be_closed(self, executor: Executor) -> None:
        handle = self.begun(executor, self.request_for("echo first; sleep 60"))
        stream = executor.output(handle, 0)
        assert next(stream) == b"first\n"
        stream.close()  # type: ignore[attr-defined]
        executor.stop(handle, StopMode.FORCE, 0)

    def test_output_ends_when_the_run_is_removed_under_the_reader(self, executor: Executor) -> None:
        handle = self.begun(executor, self.request_for("echo first; sleep 60"))
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.extend(executor.output(handle, 0)), daemon=True)
        reader.start()
        executor.wait(handle, 0.5)
        executor.remove(handle)
        reader.join(PATIENCE_SECONDS)
        assert not reader.is_alive()

    def test_waiting_ends_with_its_time(self, executor: Executor) -> None:
        handle = self.begun(executor, self.request_for("sleep 60"))
        seen = executor.wait(handle, 0.3)
        assert (seen.phase, seen.exit_code, seen.ended_at) == (Phase.RUNNING, None, None)
        assert seen.started_at is not None
        executor.stop(handle, StopMode.FORCE, 0)

    def test_a_tool_that_obeys_is_stopped_by_asking(self, executor: Executor, data_dir: Path) -> None:
        script = IN_DATA_FOLDER + "trap 'echo tidy > tidied; exit 5' TERM; touch ready; while :; do sleep 0.1; done"
        handle = self.begun(executor, self.request_for(script, data_dir=str(data_dir)))
        self.until(executor, handle, data_dir / "ready")
        executor.stop(handle, StopMode.GRACE, PATIENCE_SECONDS)
        assert executor.wait(handle, PATIENCE_SECONDS).exit_code == 5
        assert (data_dir / "tidied").read_text() == "tidy\n"

    def test_a_tool_that_ignores_the_request_is_killed(self, executor: Executor, data_dir: Path) -> None:
        script = IN_DATA_FOLDER + "trap '' TERM; touch ready; while :; do sleep 0.1; done"
        handle = self.begun(executor, self.request_for(script, data_dir=str(data_dir)))
        self.until(executor, handle, data_dir / "ready")
        executor.stop(handle, StopMode.GRACE, 1)
        seen = executor.wait(handle, PATIENCE_SECONDS)
        assert (seen.phase, seen.exit_code) == (Phase.ENDED, 137)

    def test_a_forced_stop_does_not_ask(self, executor: Executor, data_dir: Path) -> None:
        script = IN_DATA_FOLDER + "trap 'touch asked' TERM; touch ready; while :; do sleep 0.1; done"
        handle = self.begun(executor, self.request_for(script, data_dir=str(data_dir)))
        self.until(executor, handle, data_dir / "ready")
        executor.stop(handle, StopMode.FORCE, PATIENCE_SECONDS)
        assert executor.wait(handle, PATIENCE_SECONDS).exit_code == 137
        assert not (data_dir / "asked").exists()

    def test_what_is_removed_is_gone(self, executor: Executor) -> None:
        handle, _ = self.ended(executor, self.request_for())
        executor.remove(handle)
        assert executor.status(handle).phase is Phase.GONE
        assert executor.wait(handle, 0.1).phase is Phase.GONE
        executor.start(handle)
        executor.stop(handle, StopMode.GRACE, 0)
        assert executor.status(handle).phase is Phase.GONE

    def test_removing_a_running_one_ends_it(self, executor: Executor, data_dir: Path) -> None:
        script = IN_DATA_FOLDER + "while :; do date >> beats; sleep 0.05; done"
        handle = self.begun(executor, self.request_for(script, data_dir=str(data_dir)))
        self.until(executor, handle, data_dir / "beats")
        executor.remove(handle)
        size = (data_dir / "beats").stat().st_size
        executor.wait(self.begun(executor, self.request_for("sleep 0.5")), PATIENCE_SECONDS)
        assert (data_dir / "beats").stat().st_size == size

    def test_leftovers_are_what_exists(self, executor: Executor) -> None:
        request = executor.prepare(self.request_for())
        handle = executor.create(request)
        (found,) = executor.leftovers(INSTALLATION, NODE)
        assert (found.handle, found.run_id, found.attempt) == (handle, request.run_id, request.attempt)
        assert (found.phase, found.created_at.tzinfo is not None) == (Phase.CREATED, True)
        executor.start(handle)
        executor.wait(handle, PATIENCE_SECONDS)
        assert [one.phase for one in executor.leftovers(INSTALLATION, NODE)] == [Phase.ENDED]
        assert executor.leftovers(INSTALLATION, "another-node") == []
        assert executor.leftovers("another-installation", NODE) == []
        executor.remove(handle)
        assert executor.leftovers(INSTALLATION, NODE) == []

    def test_what_a_tool_writes_is_on_the_host(self, executor: Executor, data_dir: Path) -> None:
        (data_dir / "before").write_text("old\n")
        script = IN_DATA_FOLDER + "cat before > after; echo new >> after"
        self.ended(executor, self.request_for(script, data_dir=str(data_dir)))
        assert (data_dir / "after").read_text() == "old\nnew\n"

    def test_the_environment_is_the_requests(self, executor: Executor) -> None:
        env = {"MAO_RUN_ID": "7", "MAO_ODD": "a b='c'\n$d"}
        handle, _ = self.ended(executor, self.request_for('echo "$MAO_RUN_ID:$MAO_ODD:$HOME"', env=env))
        assert b"".join(executor.output(handle, 0)) == b"7:a b='c'\n$d:/tmp\n"

    def test_the_agents_environment_stays_with_the_agent(
        self, executor: Executor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MAO_POSTGRES_PASSWORD", "secret")
        handle, _ = self.ended(executor, self.request_for("env"))
        assert b"secret" not in b"".join(executor.output(handle, 0))

    def test_a_data_folder_that_is_gone_is_said_to_be(self, executor: Executor, data_dir: Path) -> None:
        request = executor.prepare(self.request_for(data_dir=str(data_dir / "nowhere")))
        with pytest.raises(BackendFailed) as caught:
            executor.create(request)
        assert caught.value.cause == Cause.DATA_UNAVAILABLE
