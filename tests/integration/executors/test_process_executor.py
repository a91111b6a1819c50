"""What only the process backend can do or must withstand."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import BackendFailed
from app.executors import process_folder, process_tree, secret_folders
from app.executors.base import Executor, Phase, StopMode
from app.executors.process import ProcessExecutor
from app.folders import remove_folder
from app.models.run import Cause
from app.models.tool import Profile
from tests.integration.executors.conformance import INSTALLATION, LIMITS, NODE, PATIENCE_SECONDS, ExecutorTests

ROOT = Path(__file__).parents[3]
AGENT = """
import json, sys, time
from pathlib import Path
from app.executors.base import Limits, RunRequest
from app.executors.process import ProcessExecutor
values = json.loads(sys.argv[2])
values["limits"] = Limits(**values["limits"])
values["command"] = tuple(values["command"])
executor = ProcessExecutor(Path(sys.argv[1]))
handle = executor.create(RunRequest(**values))
executor.start(handle)
print(handle, flush=True)
time.sleep(600)
"""


class ProcessTests(ExecutorTests):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "runs"

    @pytest.fixture
    def make_executor(self, folder: Path) -> Callable[[], Executor]:
        return lambda: ProcessExecutor(folder)

    @pytest.fixture
    def shared_folder(self) -> Iterator[Path]:
        """A folder that other users of this machine can reach, unlike the test's own."""
        made = Path(tempfile.mkdtemp())
        made.chmod(0o755)
        yield made
        shutil.rmtree(made)

    def process(self, folder: Path, handle: str, name: str) -> str:
        return str(json.loads((folder / handle / name).read_text())["process"])


class TestAgentsDeath(ProcessTests):
    def test_a_tool_outlives_an_agent_that_is_killed(self, executor: Executor, folder: Path, data_dir: Path) -> None:
        script = "echo first; touch ready; until test -e go; do sleep 0.05; done; echo last; exit 6"
        request = self.request_for(script, data_dir=str(data_dir))
        values = json.dumps(vars(request) | {"limits": vars(LIMITS)})
        agent = subprocess.Popen(
            [sys.executable, "-c", AGENT, str(folder), values], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert agent.stdout
        handle = agent.stdout.readline().strip()
        os.kill(agent.pid, signal.SIGKILL)
        agent.communicate()
        self.until(executor, handle, data_dir / "ready")
        assert executor.status(handle).phase is Phase.RUNNING
        (data_dir / "go").touch()
        assert executor.wait(handle, PATIENCE_SECONDS).exit_code == 6
        assert b"".join(executor.output(handle, 0)) == b"first\nlast\n"

    def test_a_tool_whose_wrapper_was_killed_runs_on_and_then_is_gone(self, executor: Executor, folder: Path) -> None:
        handle = self.begun(executor, self.request_for("sleep 60"))
        os.kill(process_tree.pid_of(self.process(folder, handle, process_folder.STARTED)), signal.SIGKILL)
        assert executor.wait(handle, 0.3).phase is Phase.RUNNING
        executor.stop(handle, StopMode.FORCE, 0)
        assert executor.status(handle).phase is Phase.GONE
        executor.start(handle)
        assert executor.status(handle).phase is Phase.GONE

    def test_another_process_with_the_same_number_is_not_the_tool(self, executor: Executor, folder: Path) -> None:
        handle = executor.create(self.request_for())
        somebody = process_tree.identity(os.getpid()).split()
        reused = " ".join([somebody[0], "1", somebody[2]])
        process_folder.write(folder / handle / process_folder.STARTED, {"process": reused})
        process_folder.write(folder / handle / process_folder.TOOL, {"process": reused, "started_at": "2020-01-01"})
        executor.stop(handle, StopMode.FORCE, 0)
        assert executor.status(handle).phase is Phase.GONE

    def test_a_creation_that_was_interrupted_is_completed(self, executor: Executor, folder: Path) -> None:
        request = self.request_for()
        (folder / request.container_name).mkdir(parents=True)
        assert executor.status(request.container_name).phase is Phase.GONE
        assert executor.status(executor.create(request)).phase is Phase.CREATED

    def test_a_run_of_another_installation_is_not_taken_over(self, executor: Executor) -> None:
        request = self.request_for()
        handle = executor.create(request)
        with pytest.raises(BackendFailed, match=handle):
            executor.create(replace(request, installation="other"))


class TestRemoval(ProcessTests):
    deep = "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"

    def test_folders_of_any_depth_go_with_the_attempt(self, executor: Executor, folder: Path) -> None:
        handle, seen = self.ended(executor, self.request_for(command=("python3", "-c", self.deep)))
        assert seen.exit_code == 0
        assert executor.size(handle) > 4096
        executor.remove(handle)
        assert not list(folder.iterdir())

    def test_a_removal_that_was_cut_short_is_found_and_done_again(
        self, executor: Executor, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handle, _ = self.ended(executor, self.request_for("echo said; echo wrote > file"))
        entries, removed = sorted((folder / handle).iterdir()), list[Path]()

        def die_after_each(path: Path) -> None:
            was_there = path.exists()
            remove_folder(path)
            if was_there:
                removed.append(path)
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(process_folder, "remove_folder", die_after_each)
            while (folder / handle).exists():
                assert [leftover.handle for leftover in executor.leftovers(INSTALLATION, NODE)] == [handle]
                with pytest.raises(KeyboardInterrupt):
                    executor.remove(handle)
        assert len(removed) == len(entries)


class TestTree(ProcessTests):
    away = "setsid sh -c 'touch away; while :; do date >> beats; sleep 0.05; done' & until test -e away; do :; done"

    def test_what_a_tool_leaves_behind_ends_with_it(self, executor: Executor, data_dir: Path) -> None:
        _, seen = self.ended(executor, self.request_for(f"{self.away}; exit 0", data_dir=str(data_dir)))
        assert seen.exit_code == 0
        self.check_silence(executor, data_dir)

    def test_a_stop_reaches_what_left_the_group(self, executor: Executor, data_dir: Path) -> None:
        handle = self.begun(executor, self.request_for(f"{self.away}; sleep 60", data_dir=str(data_dir)))
        self.until(executor, handle, data_dir / "away")
        executor.stop(handle, StopMode.GRACE, PATIENCE_SECONDS)
        assert executor.status(handle).exit_code == 143
        self.check_silence(executor, data_dir)

    def check_silence(self, executor: Executor, data_dir: Path) -> None:
        size = (data_dir / "beats").stat().st_size if (data_dir / "beats").exists() else 0
        self.ended(executor, self.request_for("sleep 0.3"))
        assert ((data_dir / "beats").stat().st_size if size else 0) == size


class TestSurroundings(ProcessTests):
    def said(self, executor: Executor, script: str, **changes: Any) -> bytes:
        handle, _ = self.ended(executor, self.request_for(script, **changes))
        return b"".join(executor.output(handle, 0))

    def test_the_working_directory_is_the_data_folder(self, executor: Executor, data_dir: Path) -> None:
        said = self.said(executor, 'pwd; echo "$MAO_DATA_DIR"', data_dir=str(data_dir))
        assert said.decode().split() == [str(data_dir), str(data_dir)]

    def test_without_a_data_folder_it_is_one_of_its_own(self, executor: Executor, folder: Path) -> None:
        assert self.said(executor, "pwd").decode().startswith(str(folder))

    def test_memory_is_limited(self, executor: Executor) -> None:
        eat = (sys.executable, "-c", "x = bytearray(600 * 2**20)")
        handle, seen = self.ended(executor, self.request_for(command=eat))
        assert (seen.exit_code, seen.is_oom) == (1, False)
        assert b"MemoryError" in b"".join(executor.output(handle, 0))

    def test_no_core_is_written_and_signals_are_the_usual_ones(self, executor: Executor) -> None:
        shown = "import resource, signal; print(resource.getrlimit(resource.RLIMIT_CORE), signal.getsignal(15))"
        handle, _ = self.ended(executor, self.request_for(command=(sys.executable, "-c", shown)))
        assert b"".join(executor.output(handle, 0)) == b"(0, 0) 0\n"
        assert resource.getrlimit(resource.RLIMIT_CORE)[1] != 0

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a tool as somebody else")
    def test_as_root_the_tool_runs_as_the_data_folders_owner(self, executor: Executor, shared_folder: Path) -> None:
        os.chown(shared_folder, 1000, 1001)
        assert self.said(executor, "id -u; id -g; touch made", data_dir=str(shared_folder)) == b"1000\n1001\n"
        assert (shared_folder / "made").stat().st_uid == 1000

    def test_the_run_is_readable_by_the_agents_user_only(self, executor: Executor, folder: Path) -> None:
        handle = executor.create(self.request_for(env={"SECRET": "x"}))
        assert (folder / handle).stat().st_mode & 0o077 == 0


class TestHandedOver(ProcessTests):
    script = 'cat "$MAO_FILES/list.csv" "$MAO_SECRETS/token"; echo; echo changed >"$MAO_FILES/list.csv"; id -u'

    @pytest.fixture
    def given(self, tmp_path: Path) -> Iterator[dict[str, Any]]:
        listed, kept = tmp_path / "17", tmp_path / "secrets"
        listed.write_text("a,b\n")
        kept.mkdir()
        (kept / "token").write_text("hush")
        yield {"files": {"list.csv": str(listed)}, "secrets_dir": str(kept)}
        shutil.rmtree(secret_folders.SHARED_MEMORY / f"mao-{INSTALLATION}", ignore_errors=True)

    def said(self, executor: Executor, **changes: Any) -> list[bytes]:
        handle, _ = self.ended(executor, self.request_for(self.script, **changes))
        return b"".join(executor.output(handle, 0)).splitlines()

    def test_a_tool_reads_its_files_and_secrets_and_changes_no_original(
        self, executor: Executor, given: dict[str, Any], tmp_path: Path
    ) -> None:
        assert self.said(executor, **given)[0:2] == [b"a,b", b"hush"]
        assert (tmp_path / "17").read_text() == "a,b\n"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a tool as somebody else")
    def test_so_does_a_tool_of_another_user(self, given: dict[str, Any], shared_folder: Path) -> None:
        data_dir = shared_folder / "data"
        data_dir.mkdir()
        os.chown(data_dir, 1000, 1001)
        executor = ProcessExecutor(shared_folder / "runs")
        said = self.said(executor, data_dir=str(data_dir), **given)
        assert (said[:2], said[-1]) == ([b"a,b", b"hush"], b"1000")
        assert b"denied" in said[2]

    def test_copies_go_with_the_attempt_and_are_no_attempt_themselves(
        self, executor: Executor, given: dict[str, Any], folder: Path
    ) -> None:
        given["files"]["request.json"] = given["files"]["list.csv"]
        handle = executor.create(self.request_for(**given))
        assert [found.handle for found in executor.leftovers(INSTALLATION, NODE)] == [handle]
        assert [path.name for path in (folder / "files").iterdir()] == [handle]
        executor.remove(handle)
        assert list((folder / "files").iterdir()) == []

    def test_a_file_that_is_gone_is_said_to_be(self, executor: Executor, tmp_path: Path) -> None:
        with pytest.raises(BackendFailed, match="cannot be copied") as caught:
            executor.create(self.request_for(files={"list.csv": str(tmp_path / "nothing")}))
        assert caught.value.cause == Cause.DATA_UNAVAILABLE


class TestRefusals(ProcessTests):
    def test_a_command_is_needed(self, executor: Executor) -> None:
        with pytest.raises(BackendFailed, match="command") as caught:
            executor.create(self.request_for(command=()))
        assert caught.value.cause == Cause.TOOL_ERROR

    @pytest.mark.parametrize("changes", [{"network": "none"}, {"profile": Profile.STRICT}])
    def test_what_cannot_be_confined_is_refused(self, executor: Executor, changes: dict[str, Any]) -> None:
        with pytest.raises(BackendFailed, match="network"):
            executor.create(self.request_for(**changes))

    @pytest.mark.parametrize("handle", ["../outside", "/etc", "mao-a/b", "", "sha256"])
    def test_a_handle_is_never_a_path(self, executor: Executor, handle: str) -> None:
        with pytest.raises(BackendFailed):
            executor.remove(handle)

    def test_a_file_without_the_right_to_execute_ends_with_126(self, executor: Executor, data_dir: Path) -> None:
        (data_dir / "tool").write_text("#!/bin/sh\n")
        _, seen = self.ended(executor, self.request_for(command=(str(data_dir / "tool"),)))
        assert seen.exit_code == 126
