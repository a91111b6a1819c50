"""Webhooks to real receivers: who is reached, how it is known to be the right one, and when it is given up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from app.notification_settings import NotificationSettings
from app.repositories.addresses import Address
from app.repositories.outgoing import Sender
from app.repositories.outgoing_sockets import Attempt, SendingFailed
from tests.integration.notifications.receivers import NAME, SECRET, Authority, Dripping, Receiver, status

pytestmark = pytest.mark.usefixtures("names")


def post(url: str, allow: str = "", ca: Path | None = None, seconds: float = 10.0) -> None:
    """Post a message as the agent does, also where the settings would be refused at its start."""
    given = NotificationSettings(webhooks=url, webhook_secrets=SECRET, webhook_allow=allow, ca_file=str(ca or ""))
    (hook,) = given.receivers
    Sender(given.allowed, given.ca_file).post(hook, b'{"a":1}', {"webhook-id": "01A"}, seconds)


def failure(*arguments: Any, **options: Any) -> SendingFailed:
    with pytest.raises(SendingFailed) as failed:
        post(*arguments, **options)
    assert "s3cret" not in failed.value.message
    return failed.value


def test_an_https_receiver_gets_the_message_under_its_name(
    receive: Callable[..., Receiver], authority: Authority
) -> None:
    receiver = receive(authority=authority)
    post(receiver.url, receiver.place, authority.ca)
    (request,) = receiver.requests
    assert (request.path, request.body) == ("/T0/s3cret-path?q=1", b'{"a":1}')
    assert request.headers["host"] == receiver.place
    assert receiver.names == [NAME]


def test_a_certificate_of_another_name_is_refused_before_anything_is_said(
    receive: Callable[..., Receiver], authority: Authority, names: dict[str, list[str]]
) -> None:
    receiver = receive(authority=authority)
    names["other.test"] = ["127.0.0.1"]
    url = receiver.url.replace(NAME, "other.test")
    assert "certificate" in failure(url, f"other.test:{receiver.port}", authority.ca).message
    assert receiver.requests == []


def test_a_certificate_of_nobody_that_is_trusted_is_refused(
    receive: Callable[..., Receiver], authority: Authority
) -> None:
    receiver = receive(authority=authority)
    assert "certificate" in failure(receiver.url, receiver.place).message
    assert receiver.requests == []


@pytest.mark.parametrize("allow", ["hooks.test:PORT", "127.0.0.0/8"])
def test_an_internal_receiver_is_reached_where_the_settings_allow_it(
    receive: Callable[..., Receiver], allow: str
) -> None:
    receiver = receive()
    post(receiver.url, allow.replace("PORT", str(receiver.port)))
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("allow", ["", "hooks.test:1", "10.0.0.0/8", "other.test:PORT"])
def test_no_other_internal_receiver_is_reached(
    receive: Callable[..., Receiver], authority: Authority, allow: str
) -> None:
    for receiver in (receive(), receive(authority=authority)):
        told = failure(receiver.url, allow.replace("PORT", str(receiver.port)), authority.ca)
        assert "webhook_allow" in told.message
        assert receiver.connections == 0


@pytest.mark.parametrize(("code", "is_final"), [(304, False), (404, False), (410, True), (500, False)])
def test_only_a_status_of_success_is_a_delivery(receive: Callable[..., Receiver], code: int, is_final: bool) -> None:
    receiver = receive(answers=[status(code)])
    assert failure(receiver.url, receiver.place).is_final == is_final


def test_a_redirect_is_not_followed(receive: Callable[..., Receiver]) -> None:
    elsewhere = receive()
    for code in (301, 302, 303, 307, 308):
        receiver = receive(answers=[status(code, Location=elsewhere.url)])
        assert f"status {code}" in failure(receiver.url, f"{receiver.place} {elsewhere.place}").message
    assert elsewhere.connections == 0


def test_an_answer_without_end_is_not_read_to_its_end(receive: Callable[..., Receiver]) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    receiver = receive(answers=[endless])
    post(receiver.url, receiver.place)
    assert receiver.is_cut.wait(10), "the receiver is cut off"


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("http", b"H"),
        ("http", b"HTTP/1.1 200 OK\r\nX: "),
        ("http", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("https", b"\x16\x03\x03"),
    ],
)
def test_a_receiver_that_answers_drop_by_drop_is_cut_off(scheme: str, words: bytes) -> None:
    dripping = Dripping(words)
    told = failure(f"{scheme}://{NAME}:{dripping.port}/", f"{NAME}:{dripping.port}", seconds=1.0)
    assert told.message == "hooks.test did not answer in time."
    assert dripping.is_cut.wait(10)
    dripping.close()


def test_no_proxy_of_the_environment_is_asked(
    receive: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, receiver = receive(), receive()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, f"http://127.0.0.1:{proxy.port}")
    post(receiver.url, receiver.place)
    assert (len(receiver.requests), proxy.connections) == (1, 0)


def test_a_name_that_nobody_knows_is_said() -> None:
    assert "cannot be found" in failure("https://nobody.test/s3cret").message


def test_a_receiver_that_is_not_there_refuses(receive: Callable[..., Receiver]) -> None:
    receiver = receive()
    receiver.close()
    assert "refuses the connection" in failure(receiver.url, receiver.place).message


@dataclass
class Watching:
    """Notes where connections would go, and makes none."""

    tried: list[str]

    def connect(self, _attempt: Attempt, addresses: Iterable[Address], port: int) -> Any:
        self.tried += [str(address) for address in addresses]
        raise OSError("no connection is made")


def test_a_name_server_that_changes_its_mind_gains_nothing(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = Watching([])
    monkeypatch.setattr(Attempt, "connect", lambda *arguments: watching.connect(*arguments))
    names["flips.test"] = ["9.9.9.9", "127.0.0.1", "127.0.0.1"]
    failure("https://flips.test/s3cret")
    assert (watching.tried, names["flips.test"]) == (["9.9.9.9"], ["127.0.0.1", "127.0.0.1"])
    names["both.test"] = ["9.9.9.9 127.0.0.1"]
    assert "webhook_allow" in failure("https://both.test/s3cret").message
    assert watching.tried == ["9.9.9.9"]


@pytest.mark.parametrize("address", ["9.9.9.9", "192.0.1.1", "2606:4700::1111", "2a00:1450:4001::5"])
def test_public_addresses_are_reached(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    watching = Watching([])
    monkeypatch.setattr(Attempt, "connect", lambda *arguments: watching.connect(*arguments))
    names["public.test"] = [address]
    assert "cannot be reached" in failure("https://public.test/s3cret").message
    assert watching.tried == [address]
