"""What a tool can reach from its container."""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from app.errors import BackendFailed
from app.executors import firewall
from app.executors.base import Executor, StopMode
from app.executors.bridge import bridge_for
from app.executors.docker import DockerExecutor
from app.settings import Docker
from tests.integration import images
from tests.integration.executors.conformance import PATIENCE_SECONDS
from tests.integration.executors.docker_tests import DockerTests
from tests.integration.serving import serve

pytestmark = pytest.mark.docker
LISTENER = """
import socketserver
server = socketserver.TCPServer(("", 80), socketserver.BaseRequestHandler)
print("ready", flush=True)
server.serve_forever()
"""


@pytest.fixture
def host_port() -> Iterator[int]:
    """A port that listens on all addresses of this host and hangs up on whoever comes."""
    server = socketserver.ThreadingTCPServer(("0.0.0.0", 0), socketserver.BaseRequestHandler)
    end = serve(server)
    yield server.server_address[1]
    end()


@pytest.fixture
def metadata_service() -> Iterator[str]:
    """A machine behind this one with an address of the kind at which clouds hand out credentials."""
    inner, outer, address = "mao-md-in", "mao-md-out", "169.254.123.123"

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)

    ip("netns", "add", inner)
    try:
        ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", inner)
        ip("addr", "add", "198.51.100.1/30", "dev", outer)
        ip("link", "set", outer, "up")
        ip("-n", inner, "addr", "add", "198.51.100.2/30", "dev", inner)
        ip("-n", inner, "addr", "add", f"{address}/32", "dev", inner)
        ip("-n", inner, "link", "set", inner, "up")
        ip("-n", inner, "route", "add", "default", "via", "198.51.100.1")
        ip("route", "add", f"{address}/32", "via", "198.51.100.2", "dev", outer)
        with serving_in(inner):
            yield address
    finally:
        # The two ends of the cable and the route go with the namespace.
        ip("netns", "delete", inner)


@contextmanager
def serving_in(namespace: str) -> Iterator[None]:
    """Have somebody listen on port 80 of a network namespace, and hang up on whoever comes."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", LISTENER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout and server.stdout.readline() == b"ready\n"
        yield
        server.kill()


class TestNetwork(DockerTests):
    def test_a_tool_reaches_no_port_of_the_host_though_others_do(
        self, executor: Executor, engine: Any, network: str, host_port: int
    ) -> None:
        assert executor.gap() is None  # type: ignore[attr-defined]
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
        assert executor.gap() is None  # type: ignore[attr-defined]
        for rule in firewall.rules_for(bridge_for(network)):
            subprocess.run(["iptables", "-w", "-D", *rule], check=True)
        assert executor.gap() is None  # type: ignore[attr-defined]
        for rule in firewall.rules_for(bridge_for(network)):
            subprocess.run(["iptables", "-w", "-C", *rule], check=True)

    def test_tools_do_not_reach_each_other(self, executor: Executor, engine: Any, network: str) -> None:
        server = self.begun(executor, self.request_for("nc -l -p 8080 -e echo hello", network=""))
        address = engine.inspect_container(server)["NetworkSettings"]["Networks"][network]["IPAddress"]
        assert self.said(executor, self.knock(address, 8080), network="") == b"shut\n"
        executor.stop(server, StopMode.FORCE, 0)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a machine behind this one")
    def test_a_tool_reaches_no_metadata_service_though_others_do(
        self, executor: Executor, engine: Any, network: str, metadata_service: str
    ) -> None:
        assert executor.gap() is None  # type: ignore[attr-defined]
        assert self.said(executor, self.knock(metadata_service, 80), network="") == b"shut\n"
        assert self.on_the_default_bridge(engine, self.knock(metadata_service, 80)) == b"open\n"

    def test_the_network_has_the_given_mtu(self, make_executor: Callable[..., Executor], engine: Any) -> None:
        name = "mao-test-mtu"
        sized = DockerExecutor(Docker(socket=images.SOCKET, network=name, mtu=1300))
        try:
            sized.gap()
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
            alien = DockerExecutor(Docker(socket=images.SOCKET, network="mao-test-alien"))
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
