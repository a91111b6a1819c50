"""What only the docker backend can do or must withstand, against a real engine."""

from __future__ import annotations

import hashlib
import http.server
import os
import resource
import socket
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import BackendFailed, DockerDown, Invalid
from app.executors import firewall
from app.executors.base import Executor, Limits, Phase, Profile, RunRequest, StopMode
from app.executors.bridge import bridge_for
from app.executors.docker import DockerExecutor
from app.models.run import Cause
from app.settings import Docker
from tests.integration import images
from tests.integration.executors.conformance import (
    IN_DATA_FOLDER,
    LIMITS,
    PATIENCE_SECONDS,
    ExecutorTests,
)

pytestmark = pytest.mark.docker
NETWORK = "mao-test-net"
MEBIBYTE = 2**20
STORED_BYTES = 67_108_800


@pytest.fixture(scope="module")
def engine() -> Any:
    images.busybox_image()
    return images.client()


@pytest.fixture(scope="module")
def network(engine: Any) -> Iterator[str]:
    """The name of a network of our own that is taken down again, with its packet filter rules."""
    yield NETWORK
    for found in engine.networks(names=[NETWORK]):
        engine.remove_network(found["Id"])
    for rule in firewall.rules_for(bridge_for(NETWORK)):
        while subprocess.run(["iptables", "-w", "-D", *rule], capture_output=True, check=False).returncode == 0:
            pass


@pytest.fixture
def host_port() -> Iterator[int]:
    """A port that listens on all addresses of this host and hangs up on whoever comes."""
    server = socketserver.ThreadingTCPServer(("0.0.0.0", 0), socketserver.BaseRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


class DockerTests(ExecutorTests):
    image = images.BUSYBOX
    network = "none"

    @pytest.fixture
    def make_executor(self, engine: Any) -> Callable[..., Executor]:
        return lambda **settings: DockerExecutor(Docker(network=NETWORK, **settings))

    def said(self, executor: Executor, script: str, **changes: Any) -> bytes:
        handle, _ = self.ended(executor, self.request_for(script, **changes))
        return b"".join(executor.output(handle, 0))

    def created(self, executor: Executor, engine: Any, **changes: Any) -> dict[str, Any]:
        handle = executor.create(executor.prepare(self.request_for(**changes)))
        return dict(engine.inspect_container(handle))


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
    eat = "head -c 100000000 /dev/zero | tail -c 90000000"

    def test_a_tool_without_memory_is_seen_as_such(self, executor: Executor) -> None:
        _, seen = self.ended(executor, self.request_for(f"exec sh -c 'set -o pipefail; {self.eat}'", limits=self.small))
        assert (seen.is_oom, seen.exit_code) == (True, 137)

    def test_a_child_without_memory_is_seen_though_the_tool_ends_well(self, executor: Executor) -> None:
        _, seen = self.ended(executor, self.request_for(f"{self.eat}; exit 0", limits=self.small))
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
        script = """awk 'BEGIN { for (i = 0; i < 2000000; i++) printf "%099d\\n", i }'"""
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
        small = DockerExecutor(Docker(), output_bytes=MEBIBYTE)
        script = """awk 'BEGIN { for (i = 0; i < 100000; i++) printf "%09d\\n", i }'"""
        handle, _ = self.ended(small, self.request_for(script))
        try:
            assert b"".join(small.output(handle, 0)) == b"".join(b"%09d\n" % number for number in range(100_000))
        finally:
            small.remove(handle)


class TestImages(DockerTests):
    def test_the_image_is_pinned(self, executor: Executor, engine: Any) -> None:
        prepared = executor.prepare(self.request_for())
        assert prepared.image_id == engine.inspect_image(images.BUSYBOX)["Id"]
        assert prepared.image_digest == prepared.image_id

    def test_a_tag_that_moves_between_prepare_and_create_changes_nothing(self, executor: Executor) -> None:
        moving = "mao-test/moving:1"
        images.build(moving, changes=['CMD ["echo", "old"]'], is_forced=True)
        prepared = executor.prepare(self.request_for(image=moving, command=()))
        images.build(moving, changes=['CMD ["echo", "new"]'], is_forced=True)
        handle = executor.create(prepared)
        executor.start(handle)
        executor.wait(handle, PATIENCE_SECONDS)
        assert b"".join(executor.output(handle, 0)) == b"old\n"

    def test_an_image_that_was_removed_after_prepare_is_missing(self, executor: Executor, engine: Any) -> None:
        image = images.build("mao-test/short-lived:1", changes=["ENV LIVES=short"])
        prepared = executor.prepare(self.request_for(image=image))
        engine.remove_image(image)
        self.refused(lambda: executor.create(prepared), "removed")

    def test_the_policy_never_fetches_nothing(self, make_executor: Callable[..., Executor], registry: Registry) -> None:
        never = make_executor(pull_policy="never")
        self.refused(lambda: never.prepare(self.request_for(image=registry.image)), "does not have it")
        assert registry.asked == 0

    def test_the_policy_missing_asks_no_registry_for_what_is_here(
        self, make_executor: Callable[..., Executor], registry: Registry, engine: Any
    ) -> None:
        engine.tag(images.BUSYBOX, registry.image.rpartition(":")[0], "1")
        try:
            make_executor().prepare(self.request_for(image=registry.image))
            assert registry.asked == 0
            with pytest.raises(BackendFailed):
                make_executor(pull_policy="always").prepare(self.request_for(image=registry.image))
            assert registry.asked > 0
        finally:
            engine.remove_image(registry.image)

    def test_an_unknown_policy_is_an_error_at_once(self) -> None:
        with pytest.raises(Invalid, match="sometimes"):
            DockerExecutor(Docker(pull_policy="sometimes"))

    @pytest.mark.parametrize(
        ("status", "body", "words"),
        [
            (401, '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}', "refuses"),
            (403, '{"errors":[{"code":"DENIED","message":"requested access is denied"}]}', "refuses"),
            (404, '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}', "no such image"),
            (500, "", "could not fetch it"),
        ],
    )
    def test_a_registry_that_refuses(
        self, executor: Executor, registry: Registry, status: int, body: str, words: str
    ) -> None:
        registry.answer = (status, body)
        self.refused(lambda: executor.prepare(self.request_for(image=registry.image)), words)
        assert registry.asked > 0

    def test_a_registry_that_is_not_there(self, executor: Executor) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            port = listener.getsockname()[1]
        self.refused(lambda: executor.prepare(self.request_for(image=f"127.0.0.1:{port}/a/b:1")), "cannot be reached")

    def test_a_registry_that_never_answers_is_given_up_at_the_deadline(
        self, make_executor: Callable[..., Executor]
    ) -> None:
        with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as silent:
            image = f"127.0.0.1:{silent.getsockname()[1]}/a/b:1"
            impatient = make_executor(pull_deadline_seconds=1)
            self.refused(lambda: impatient.prepare(self.request_for(image=image)), "within 1 seconds")

    @pytest.mark.parametrize("image", ["UPPER case", "sha256:" + "0" * 64, "a/b@sha256:123", "http://a/b", ""])
    def test_what_is_no_image_is_missing(self, executor: Executor, image: str) -> None:
        self.refused(lambda: executor.prepare(self.request_for(image=image)), "cannot be used")

    def refused(self, asked: Callable[[], object], words: str) -> None:
        with pytest.raises(BackendFailed) as caught:
            asked()
        assert caught.value.cause == Cause.IMAGE_MISSING
        assert words in caught.value.message


class TestNetwork(DockerTests):
    def test_a_tool_reaches_no_port_of_the_host_though_others_do(
        self, executor: Executor, engine: Any, network: str, host_port: int
    ) -> None:
        assert executor.network_gap() is None  # type: ignore[attr-defined]
        gateway = engine.inspect_network(network)["IPAM"]["Config"][0]["Gateway"]
        default = self.address_of_the_default_bridge(engine)
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
            probe.connect(("192.0.2.1", 9))
            outer = probe.getsockname()[0]
        script = "; ".join(self.knock(address, host_port) for address in (gateway, default, outer))
        assert self.said(executor, script, network="") == b"shut\nshut\nshut\n"
        assert self.on_the_default_bridge(engine, self.knock(default, host_port)) == b"open\n"

    def test_the_rules_are_set_once(self, executor: Executor, network: str) -> None:
        bridge = bridge_for(network)
        assert firewall.close_bridge(bridge) is None
        assert firewall.close_bridge(bridge) is None
        listed = subprocess.run(["iptables", "-S"], capture_output=True, text=True, check=True).stdout
        assert listed.count(f"INPUT -i {bridge} -j DROP") == 1
        assert listed.count(f"-d 169.254.0.0/16 -i {bridge} -j DROP") == 1

    def test_rules_that_somebody_flushed_come_back(self, executor: Executor, network: str) -> None:
        assert executor.network_gap() is None  # type: ignore[attr-defined]
        for rule in firewall.rules_for(bridge_for(network)):
            subprocess.run(["iptables", "-w", "-D", *rule], check=True)
        assert executor.network_gap() is None  # type: ignore[attr-defined]
        for rule in firewall.rules_for(bridge_for(network)):
            subprocess.run(["iptables", "-w", "-C", *rule], check=True)

    def test_tools_do_not_reach_each_other(self, executor: Executor, engine: Any, network: str) -> None:
        server = self.begun(executor, self.request_for("nc -l -p 8080 -e echo hello", network=""))
        address = engine.inspect_container(server)["NetworkSettings"]["Networks"][network]["IPAddress"]
        assert self.said(executor, self.knock(address, 8080), network="") == b"shut\n"
        executor.stop(server, StopMode.FORCE, 0)

    def test_the_network_has_the_given_mtu(self, make_executor: Callable[..., Executor], engine: Any) -> None:
        name = "mao-test-mtu"
        sized = DockerExecutor(Docker(network=name, mtu=1300))
        try:
            sized.network_gap()
            assert engine.inspect_network(name)["Options"]["com.docker.network.driver.mtu"] == "1300"
        finally:
            engine.remove_network(name)
            for rule in firewall.rules_for(bridge_for(name)):
                subprocess.run(["iptables", "-w", "-D", *rule], check=True)

    def test_a_network_that_was_removed_is_made_again(self, executor: Executor, engine: Any, network: str) -> None:
        assert self.said(executor, "echo before", network="") == b"before\n"
        handle = executor.create(executor.prepare(self.request_for("echo after", network="")))
        engine.remove_network(network)
        executor.start(handle)
        assert executor.wait(handle, PATIENCE_SECONDS).exit_code == 0
        assert b"".join(executor.output(handle, 0)) == b"after\n"

    def test_a_network_of_somebody_else_is_not_used(self, engine: Any) -> None:
        engine.create_network("mao-test-alien")
        try:
            alien = DockerExecutor(Docker(network="mao-test-alien"))
            with pytest.raises(BackendFailed, match="mao-test-alien"):
                alien.create(self.request_for(network=""))
        finally:
            engine.remove_network("mao-test-alien")

    @pytest.mark.parametrize("name", ["host", "bridge", "container:abc"])
    def test_a_tool_may_not_choose_its_network(self, executor: Executor, name: str) -> None:
        with pytest.raises(BackendFailed, match=name):
            executor.create(executor.prepare(self.request_for(network=name)))

    def knock(self, address: str, port: int) -> str:
        return f"nc -w 2 {address} {port} </dev/null >/dev/null 2>&1 && echo open || echo shut"

    def address_of_the_default_bridge(self, engine: Any) -> str:
        route = self.on_the_default_bridge(engine, "ip route")
        return route.split()[2].decode()

    def on_the_default_bridge(self, engine: Any, script: str) -> bytes:
        made = engine.create_container(images.BUSYBOX, ["sh", "-c", script])["Id"]
        try:
            engine.start(made)
            engine.wait(made)
            return bytes(engine.logs(made))
        finally:
            engine.remove_container(made, force=True)


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
            lambda: down.wait("handle", 0.1),
            lambda: list(down.output("handle", 0)),
            lambda: down.stop("handle", StopMode.GRACE, 1),
            lambda: down.remove("handle"),
            lambda: down.leftovers("installation", "node"),
            down.network_gap,
        ]
        for call in calls:
            with pytest.raises(DockerDown):
                call()

    def test_an_engine_that_never_answers_is_down(self, tmp_path: Path) -> None:
        with closing(socket.socket(socket.AF_UNIX)) as silent:
            silent.bind(str(tmp_path / "silent.sock"))
            silent.listen(16)
            frozen = DockerExecutor(Docker(socket=f"unix://{tmp_path}/silent.sock", timeout_seconds=1))
            with pytest.raises(DockerDown):
                frozen.ping()


class Registry:
    """An HTTP server in place of a registry: gives one answer to everything and counts the questions."""

    def __init__(self) -> None:
        self.answer = (500, "")
        self.asked = 0
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked += 1
                status, body = registry.answer if "/manifests/" in self.path else (200, "{}")
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.image = f"127.0.0.1:{self.server.server_port}/group/tool:1"


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()
