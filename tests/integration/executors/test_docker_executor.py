"""What only the docker backend can do or must withstand, against a real engine."""

from __future__ import annotations

import hashlib
import os
import resource
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import BackendFailed
from app.executors.base import Executor, Limits, Phase
from app.executors.docker import DockerExecutor
from app.models.run import Cause
from app.models.tool import Profile
from app.settings import Docker
from tests.integration import images
from tests.integration.executors.conformance import (
    IN_DATA_FOLDER,
    LIMITS,
    PATIENCE_SECONDS,
)
from tests.integration.executors.docker_tests import DockerTests

pytestmark = pytest.mark.docker
MEBIBYTE = 2**20
STORED_BYTES = 67_108_800


class TestContainer(DockerTests):
    def test_the_container_is_named_and_labelled_after_its_row(self, executor: Executor, engine: Any) -> None:
        request = self.request_for()
        shown = engine.inspect_container(executor.create(executor.prepare(request)))
        assert shown["Name"] == f"/mao-{request.node}-{request.run_id}-1"
        assert {key: value for key, value in shown["Config"]["Labels"].items() if key.startswith("mao.")} == {
            "mao.installation": request.installation,
            "mao.node": request.node,
            "mao.run": str(request.run_id),
            "mao.attempt": "1",
            "mao.tool": "tool",
        }

    @pytest.mark.parametrize("label", ["mao.installation", "mao.run", "mao.attempt", None])
    def test_a_strangers_container_with_our_name_is_refused_and_not_touched(
        self, executor: Executor, engine: Any, label: str | None
    ) -> None:
        request = executor.prepare(self.request_for())
        labels = {"mao.installation": request.installation, "mao.run": str(request.run_id), "mao.attempt": "1"}
        labels = {**labels, label: "other"} if label else {}
        theirs = engine.create_container(images.BUSYBOX, "true", name=request.container_name, labels=labels)["Id"]
        try:
            with pytest.raises(BackendFailed, match=request.container_name):
                executor.create(request)
            assert engine.inspect_container(theirs)["State"]["Status"] == "created"
        finally:
            engine.remove_container(theirs, force=True)

    def test_a_container_with_our_labels_and_another_name_is_no_leftover(self, executor: Executor, engine: Any) -> None:
        request = self.request_for()
        ours = executor.create(executor.prepare(request))
        labels = engine.inspect_container(ours)["Config"]["Labels"]
        theirs = engine.create_container(images.BUSYBOX, "true", labels=labels)["Id"]
        try:
            found = executor.leftovers(request.installation, request.node)
            assert [leftover.handle for leftover in found] == [ours]
        finally:
            engine.remove_container(theirs, force=True)

    def test_a_later_container_of_the_same_name_is_not_started_by_an_old_handle(
        self, executor: Executor, engine: Any
    ) -> None:
        request = executor.prepare(self.request_for())
        old = executor.create(request)
        executor.remove(old)
        new = executor.create(request)
        executor.start(old)
        assert executor.status(new).phase is Phase.CREATED

    def test_the_tool_runs_as_the_data_folders_owner(self, executor: Executor) -> None:
        with tempfile.TemporaryDirectory() as folder:
            secret = Path(folder, "secret")
            secret.write_text("only mine\n")
            secret.chmod(0o600)
            os.chown(secret, 1000, 1001)
            os.chown(folder, 1000, 1001)
            script = IN_DATA_FOLDER + "cat secret; id -u; id -g; echo x > made"
            assert self.said(executor, script, data_dir=folder) == b"only mine\n1000\n1001\n"
            assert (Path(folder, "made").stat().st_uid, Path(folder, "made").stat().st_gid) == (1000, 1001)

    def test_without_a_data_folder_the_tool_is_nobody(self, executor: Executor) -> None:
        assert self.said(executor, "id -u; id -g") == b"65534\n65534\n"

    def test_a_volume_of_the_image_goes_with_the_container(self, executor: Executor, engine: Any) -> None:
        image = images.build("mao-test/volume:1", changes=["VOLUME /keep"])
        handle, _ = self.ended(executor, self.request_for(image=image))
        (volume,) = [mount["Name"] for mount in engine.inspect_container(handle)["Mounts"]]
        executor.remove(handle)
        assert volume not in [found["Name"] for found in engine.volumes()["Volumes"] or []]


class TestProfiles(DockerTests):
    def check_common(self, host: dict[str, Any]) -> None:
        assert host["Privileged"] is False
        assert host["AutoRemove"] is False
        assert host["Init"] is True
        assert host["RestartPolicy"]["Name"] == "no"
        assert (host["Memory"], host["MemorySwap"]) == (256 * MEBIBYTE, 256 * MEBIBYTE)
        assert (host["NanoCpus"], host["PidsLimit"]) == (1_000_000_000, 64)
        assert host["LogConfig"]["Type"] == "local"
        assert int(host["LogConfig"]["Config"]["max-size"]) == 128 * MEBIBYTE
        for nothing in ("Binds", "CapAdd", "Devices", "DeviceRequests", "GroupAdd", "PortBindings", "VolumesFrom"):
            assert not host[nothing]
        for own in ("PidMode", "UTSMode", "UsernsMode"):
            assert host[own] == ""
        assert host["IpcMode"] == "private"

    def check_confined(self, host: dict[str, Any]) -> None:
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert set(host["Tmpfs"]) == {"/tmp", "/home"}
        assert all("size=128m" in options for options in host["Tmpfs"].values())

    def test_standard(self, executor: Executor, engine: Any, data_dir: Path, network: str) -> None:
        shown = self.created(executor, engine, network="", data_dir=str(data_dir))
        self.check_common(shown["HostConfig"])
        self.check_confined(shown["HostConfig"])
        assert shown["HostConfig"]["ReadonlyRootfs"] is False
        assert shown["HostConfig"]["NetworkMode"] == network
        assert "HOME=/tmp" in shown["Config"]["Env"]
        (mount,) = shown["Mounts"]
        assert (mount["Type"], mount["Source"], mount["Destination"], mount["RW"]) == (
            "bind",
            str(data_dir),
            "/usr/src/app/data",
            True,
        )

    def test_strict(self, executor: Executor, engine: Any) -> None:
        shown = self.created(executor, engine, network="", profile=Profile.STRICT)
        self.check_common(shown["HostConfig"])
        self.check_confined(shown["HostConfig"])
        assert shown["HostConfig"]["ReadonlyRootfs"] is True
        assert shown["HostConfig"]["NetworkMode"] == "none"
        assert shown["Mounts"] == []

    def test_legacy(self, make_executor: Callable[..., Executor], executor: Executor, engine: Any) -> None:
        allowing = make_executor(allow_legacy=True)
        shown = self.created(allowing, engine, profile=Profile.LEGACY)
        self.check_common(shown["HostConfig"])
        assert shown["Config"]["User"] == "0:0"
        assert not shown["HostConfig"]["CapDrop"]

    def test_legacy_must_be_allowed(self, executor: Executor) -> None:
        with pytest.raises(BackendFailed, match="legacy"):
            executor.create(executor.prepare(self.request_for(profile=Profile.LEGACY)))

    def test_a_confined_tool_can_write_where_tools_write(self, executor: Executor, data_dir: Path) -> None:
        script = "touch /tmp/a /home/b $HOME/c && cp /bin/busybox /tmp/echo && /tmp/echo fine"
        for profile in (Profile.STANDARD, Profile.STRICT):
            assert self.said(executor, script, profile=profile, data_dir=str(data_dir)) == b"fine\n"

    def test_a_confined_tool_has_no_capabilities_and_gains_none(self, executor: Executor, data_dir: Path) -> None:
        said = self.said(executor, "grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status", data_dir=str(data_dir))
        assert {line.split()[1] for line in said.splitlines()} == {b"0000000000000000", b"1"}

    def test_a_tool_cannot_start_more_processes_than_allowed(self, executor: Executor) -> None:
        limits = Limits(memory_mb=256, cpus=1.0, pids=20, timeout_seconds=60)
        script = "for i in $(seq 1 60); do sleep 5 & done 2>/dev/null; echo never"
        handle, seen = self.ended(executor, self.request_for(script, limits=limits))
        assert seen.exit_code != 0
        assert b"never" not in b"".join(executor.output(handle, 0))


class TestEnds(DockerTests):
    small = replace(LIMITS, memory_mb=32)
    # The kernel kills the child that eats, never the shell that waits for it.
    eat = 'sh -c "echo 1000 >/proc/self/oom_score_adj; exec dd if=/dev/zero of=/dev/null bs=90000000 count=1"'

    def test_a_tool_without_memory_is_seen_as_such(self, executor: Executor) -> None:
        _, seen = self.ended(executor, self.request_for(f"exec sh -c 'set -o pipefail; {self.eat}'", limits=self.small))
        assert (seen.is_oom, seen.exit_code) == (True, 137)

    def test_a_child_without_memory_is_seen_though_the_tool_ends_well(self, executor: Executor) -> None:
        # The engine hears of such a death by an event of its own, which a tool that ends at once can outrun.
        _, seen = self.ended(executor, self.request_for(f"{self.eat}; sleep 1; exit 0", limits=self.small))
        assert (seen.is_oom, seen.exit_code) == (True, 0)

    def test_a_file_that_no_machine_can_execute_is_a_tool_error(self, executor: Executor) -> None:
        request = self.request_for(image=images.not_executable_image(), command=("/broken",))
        handle, seen = self.ended(executor, request)
        assert seen.exit_code != 0
        assert b"/broken" in b"".join(executor.output(handle, 0))

    def test_an_image_without_a_command_needs_one(self, executor: Executor) -> None:
        request = self.request_for(image=images.no_command_image(), command=())
        with pytest.raises(BackendFailed, match="no command") as caught:
            executor.create(executor.prepare(request))
        assert caught.value.cause == Cause.TOOL_ERROR

    def test_an_image_runs_its_own_command(self, executor: Executor) -> None:
        image = images.build("mao-test/own-command:1", changes=['CMD ["echo", "my own"]'])
        handle, _ = self.ended(executor, self.request_for(image=image, command=()))
        assert b"".join(executor.output(handle, 0)) == b"my own\n"

    def test_a_user_that_the_image_does_not_know_is_an_error_that_names_it(self, executor: Executor) -> None:
        handle = executor.create(executor.prepare(self.request_for(user="nosuchuser")))
        with pytest.raises(BackendFailed, match="nosuchuser"):
            executor.start(handle)
        assert executor.status(handle).phase is Phase.CREATED

    def test_much_output_needs_little_memory_and_what_is_stored_of_it_is_right(self, executor: Executor) -> None:
        script = """awk 'BEGIN { for (i = 0; i < 800000; i++) printf "%099d\\n", i }'"""
        handle = self.begun(executor, self.request_for(script))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        stored, wanted = hashlib.sha256(), hashlib.sha256()
        amount = 0
        for chunk in executor.output(handle, 0):
            stored.update(chunk[: max(0, STORED_BYTES - amount)])
            amount += len(chunk)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        for number in range(STORED_BYTES // 100):
            wanted.update(b"%099d\n" % number)
        assert amount > 64 * MEBIBYTE
        assert stored.digest() == wanted.digest()
        assert grown_kib < 20 * 1024
        assert executor.wait(handle, PATIENCE_SECONDS).exit_code == 0

    def test_a_silent_stream_is_opened_again_without_hole_or_repeat(
        self, executor: Executor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.executors.docker._QUIET_SECONDS", 1)
        handle = self.begun(executor, self.request_for("sleep 2; echo first; sleep 2; echo last"))
        assert b"".join(executor.output(handle, 0)) == b"first\nlast\n"

    def test_output_is_whole_though_the_engine_began_another_file(self, engine: Any) -> None:
        # Two MiB are kept in a file; short lines take several times their length there.
        small = DockerExecutor(Docker(socket=images.SOCKET), output_bytes=MEBIBYTE)
        script = """awk 'BEGIN { for (i = 0; i < 100000; i++) printf "%09d\\n", i }'"""
        handle, _ = self.ended(small, self.request_for(script))
        try:
            assert b"".join(small.output(handle, 0)) == b"".join(b"%09d\n" % number for number in range(100_000))
        finally:
            small.remove(handle)
