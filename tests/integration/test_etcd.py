from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.embedded import EtcdServer, start_etcd
from app.errors import AlreadyExists, Invalid, RegistryDown
from app.repositories import etcd_compat
from app.repositories.etcd import EtcdKv
from app.repositories.kv import KvStore
from app.settings import Etcd
from tests.contracts import KvContract, wait_until, watching

TIMEOUT_SECONDS = 1.0


class TestEtcdKv(KvContract):
    """The contract, on the ``kv`` fixture of the folder."""


@pytest.fixture
def own_server(services_folder: Path) -> Iterator[Callable[[], EtcdServer]]:
    """Start, and start again, a server that this test may kill."""
    folder = services_folder / f"etcd-{time.monotonic_ns()}"
    started: list[EtcdServer] = []

    def start() -> EtcdServer:
        started.append(start_etcd(folder, is_durable=False))
        return started[-1]

    yield start
    for server in started:
        os.kill(server.pid, signal.SIGCONT) if server.is_alive() else None
        server.stop()


def client_of(*addresses: str, timeout_seconds: float = TIMEOUT_SECONDS) -> EtcdKv:
    return EtcdKv(Etcd(address=",".join(addresses), timeout_seconds=timeout_seconds))


def answers(kv: KvStore) -> bool:
    try:
        kv.put("/mao/probe", "x")
    except RegistryDown:
        return False
    return True


def kill(server: EtcdServer) -> None:
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.is_alive(), "the killed etcd still runs")
    server.stop()


def is_refused(kv: KvStore) -> bool:
    with pytest.raises(RegistryDown):
        kv.get("/mao/a")
    with pytest.raises(RegistryDown):
        kv.create("/mao/b", "x")
    with pytest.raises(RegistryDown):
        kv.create_all({"/mao/b": "x"}, ttl_seconds=60)
    with pytest.raises(RegistryDown):
        kv.keep_alive(1)
    with pytest.raises(RegistryDown):
        kv.revoke(1)
    with pytest.raises(RegistryDown):
        kv.watch("/mao/", threading.Event())
    return True


def test_a_killed_server_is_reported_and_found_again(own_server: Callable[[], EtcdServer]) -> None:
    server = own_server()
    kv = client_of(server.address)
    revision = kv.create("/mao/a", "kept")
    kill(server)
    assert is_refused(kv)
    again = own_server()
    assert again.address == server.address
    wait_until(lambda: answers(kv), "the client does not find the server that is back")
    entry = kv.get("/mao/a")
    assert entry is not None and (entry.value, entry.revision) == ("kept", revision)


def test_a_frozen_server_costs_no_more_than_the_time_limit(own_server: Callable[[], EtcdServer]) -> None:
    server = own_server()
    kv = client_of(server.address)
    kv.create("/mao/a", "x")
    os.kill(server.pid, signal.SIGSTOP)
    # A call that never came back would be ended by the suite's time limit; this names the culprit earlier.
    calls = threading.Thread(target=is_refused, args=(kv,), daemon=True)
    calls.start()
    calls.join(30 * TIMEOUT_SECONDS)
    assert not calls.is_alive(), "a call to a frozen server hangs"
    os.kill(server.pid, signal.SIGCONT)
    wait_until(lambda: answers(kv), "the client does not find the server that goes on")


def test_a_watch_survives_a_restart_and_gives_what_it_missed(own_server: Callable[[], EtcdServer]) -> None:
    server = own_server()
    kv = client_of(server.address)
    gone = kv.create("/mao/gone", "x")
    kv.create("/mao/stays", "x")
    with watching(kv, "/mao/") as seen:
        kv.put("/mao/a", "before")
        seen.wait_for("/mao/a", "before")
        kill(server)
        own_server()
        other = client_of(server.address)
        wait_until(lambda: answers(other), "the server is not back")
        other.delete("/mao/gone", gone)
        other.put("/mao/a", "after")
        seen.wait_for("/mao/gone", None)
        seen.wait_for("/mao/a", "after")
    assert "/mao/stays" not in [change.key for change in seen.changes]


def test_a_watch_that_nobody_answers_ends_when_it_is_told_to(own_server: Callable[[], EtcdServer]) -> None:
    server = own_server()
    with watching(client_of(server.address), "/mao/"):
        kill(server)


def test_a_member_that_is_dead_from_the_start_is_passed_over(own_server: Callable[[], EtcdServer]) -> None:
    server = own_server()
    kv = client_of("127.0.0.1:1", server.address)
    revision = kv.create("/mao/a", "1")
    kv.replace("/mao/a", "2", revision)
    assert kv.ping()


def test_a_member_that_dies_is_replaced_by_the_next(
    own_server: Callable[[], EtcdServer], kv: EtcdKv, etcd_address: str
) -> None:
    # Two clusters of one member stand for two members: what counts here is which one is asked.
    server = own_server()
    both = client_of(server.address, etcd_address)
    both.put("/mao/a", "first")
    kill(server)
    both.put("/mao/a", "second")
    entry = kv.get("/mao/a")
    assert entry is not None and entry.value == "second"


def test_more_than_one_message_of_entries_is_listed_completely(kv: EtcdKv) -> None:
    keys = [f"/mao/t/{number:05}" for number in range(2600)]
    for key in keys:
        kv.put(key, key + "x" * 2000)
    entries = kv.list("/mao/t/", limit=10_000)
    assert [entry.key for entry in entries] == keys
    assert all(entry.value.startswith(entry.key) for entry in entries)
    assert [entry.key for entry in kv.list("/mao/t/", after=keys[99], limit=1000)] == keys[100:1100]


def test_a_value_beyond_etcds_limit_is_invalid(kv: EtcdKv) -> None:
    with pytest.raises(Invalid):
        kv.put("/mao/a", "x" * 2 * 2**20)


def test_bytes_that_are_no_text_do_not_break_a_list(kv: EtcdKv, etcd_address: str) -> None:
    put_raw(etcd_address, b"/mao/t/b\xff", b"\xfe\xff")
    kv.put("/mao/t/a", "text")
    kv.put("/mao/t/c", "text")
    entries = kv.list("/mao/t/")
    assert [entry.value for entry in entries if entry.value.isascii()] == ["text", "text"]
    assert kv.list("/mao/t/", after=entries[1].key, limit=1) == entries[2:]
    assert kv.get(entries[1].key) == entries[1]


def test_keys_that_are_refused_leave_no_lease_behind(own_server: Callable[[], EtcdServer]) -> None:
    server = own_server()
    kv = client_of(server.address)
    kv.create("/mao/a", "x")
    for _ in range(5):
        with pytest.raises(AlreadyExists):
            kv.create_all({"/mao/a": "y", "/mao/b": "y"}, ttl_seconds=60)
    held = kv.create_all({"/mao/b": "y"}, ttl_seconds=60)
    assert leases(server.address) == [held.id]


def leases(address: str) -> list[int]:
    driver = etcd_compat.load()
    host, port = address.rsplit(":", 1)
    client = driver.connect(host=host, port=int(port))
    try:
        return [status.ID for status in client.leasestub.LeaseLeases(driver.messages.LeaseLeasesRequest()).leases]
    finally:
        client.close()


def put_raw(address: str, key: bytes, value: bytes) -> None:
    driver = etcd_compat.load()
    host, port = address.rsplit(":", 1)
    client = driver.connect(host=host, port=int(port))
    client.put(key, value)
    client.close()


def test_a_watch_survives_compaction(own_server: Callable[[], EtcdServer]) -> None:
    server = own_server()
    kv = client_of(server.address)
    with watching(kv, "/mao/") as seen:
        kv.put("/mao/a", "0")
        seen.wait_for("/mao/a", "0")
        os.kill(server.pid, signal.SIGKILL)
        server.stop()
        own_server()
        other = client_of(server.address)
        wait_until(lambda: answers(other), "the server is not back")
        for number in range(20):
            revision = other.put("/mao/a", str(number))
        compact(server.address, revision)
        seen.wait_for("/mao/a", "19")


def compact(address: str, revision: int) -> None:
    host, port = address.rsplit(":", 1)
    client = etcd_compat.load().connect(host=host, port=int(port))
    client.compact(revision)
    client.close()


def test_a_child_that_is_forked_off_gets_a_connection_of_its_own(etcd_address: str, kv: EtcdKv) -> None:
    kv.put("/mao/a", "x")
    code = """
import os, sys
from app.repositories.etcd import EtcdKv
from app.settings import Etcd
kv = EtcdKv(Etcd(address=sys.argv[1]))
assert kv.get("/mao/a").value == "x"
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        os._exit(0 if kv.get("/mao/a").value == "x" else 1)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] for child in children))
"""
    done = subprocess.run([sys.executable, "-c", code, etcd_address], timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["app.repositories.etcd", "app.repositories.registry"])
def test_an_import_does_not_load_the_driver(module: str) -> None:
    code = f"import {module}, sys, json; print(json.dumps([name for name in ('etcd3', 'grpc') if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("address", ["localhost", "http://localhost:2379", "localhost:0", "localhost:x", ":2379"])
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(Invalid):
        client_of(address)


def test_half_a_login_is_refused_at_once() -> None:
    with pytest.raises(Invalid):
        EtcdKv(Etcd(address="localhost:2379", user="mao"))


def test_without_an_address_every_call_says_so() -> None:
    with pytest.raises(RegistryDown, match="configured"):
        client_of("").get("/mao/a")
