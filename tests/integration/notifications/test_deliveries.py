"""The outbox: every notification reaches every receiver, whatever fails on the way."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from app.errors import RegistryDown
from app.repositories.database import Database
from app.repositories.etcd import EtcdKv
from app.repositories.outgoing import Sender
from app.repositories.registry import Registry
from app.services.deliveries import spread
from app.services.delivery import deliver
from app.services.figures import FigureService
from app.services.notifications import NotificationService
from app.settings import Etcd
from tests.integration.notifications.outbox import Outbox
from tests.integration.notifications.receivers import NAME, SECRET, Authority, Receiver, status
from tests.unit.test_messages import is_genuine

pytestmark = pytest.mark.usefixtures("names")
OLD = "whsec_" + "b29vb29vb29vb29vb29vb29vb29vb29v"
Receive = Callable[..., Receiver]


def to(*receivers: Receiver, **given: str) -> dict[str, str]:
    """Give the settings that name receivers."""
    urls, places = ([getattr(one, name) for one in receivers] for name in ("url", "place"))
    return {"webhooks": "\n".join(urls), "webhook_allow": " ".join(places), **given}


def test_every_receiver_gets_a_notification_once_and_can_tell_that_it_is_ours(
    receive: Receive, authority: Authority, database: Database, tmp_path: Path
) -> None:
    receivers = [receive(), receive(authority=authority)]
    secrets = f"{SECRET} {OLD}"
    outbox = Outbox(database, tmp_path, **to(*receivers, webhook_secrets=secrets, ca_file=str(authority.ca)))
    outbox.add("01A", incident_id=3)
    for _ in range(3):
        outbox.send()
    for receiver in receivers:
        (request,) = receiver.requests
        told = json.loads(request.body)
        assert (told["id"], told["incidentId"], told["runId"], told["node"]) == ("01A", 3, None, "n")
        assert [is_genuine(request.headers, request.body, secret) for secret in (SECRET, OLD)] == [True, True]
        assert request.headers["content-type"] == "application/json"
    assert {(one.state, one.attempts, one.message) for one in outbox.deliveries()} == {("delivered", 1, None)}
    assert len(outbox.deliveries()) == 2


def test_what_failed_is_sent_again_with_the_same_id_and_body(
    receive: Receive, database: Database, tmp_path: Path
) -> None:
    receiver = receive(answers=[status(500), status(204)])
    outbox = Outbox(database, tmp_path, **to(receiver))
    outbox.add("01A")
    outbox.send()
    failed = outbox.only()
    assert (failed.state, failed.attempts, failed.message) == ("pending", 1, f"{NAME} answered with status 500.")
    outbox.send()
    assert len(receiver.requests) == 1, "its pause is not over"
    outbox.make_due()
    outbox.send()
    assert (outbox.only().state, outbox.only().attempts, outbox.only().message) == ("delivered", 2, None)
    first, second = receiver.requests
    assert receiver.ids() == ["01A", "01A"]
    assert first.body == second.body


def test_one_that_hangs_holds_up_no_other(receive: Receive, database: Database, tmp_path: Path) -> None:
    is_over, is_hanging = threading.Event(), threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        is_hanging.set()
        is_over.wait(30)

    hanging, prompt = receive(answers=[hang]), receive()
    outbox = Outbox(database, tmp_path, **to(hanging, prompt))
    outbox.add("01A")
    outbox.add("01B")
    spread(outbox.context)
    outbox.courier.work()
    assert is_hanging.wait(20)
    outbox.add("01C")
    spread(outbox.context)
    while len(prompt.requests) < 3:
        outbox.courier.work()
        is_over.wait(0.05)
    assert prompt.ids() == ["01A", "01B", "01C"]
    assert hanging.ids() == ["01A"], "it is asked nothing else meanwhile"
    is_over.set()
    outbox.rest()


def test_a_fault_of_ours_is_noted_tried_again_and_given_up_like_any_other(
    receive: Receive, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_fault(*_: Any, **__: Any) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(Sender, "post", at_fault)
    outbox = Outbox(database, tmp_path, **to(receive()))
    outbox.add("01A")
    outbox.send()
    failed = outbox.only()
    assert (failed.state, failed.attempts) == ("pending", 1)
    assert failed.message == "It could not be sent; the agent's log says why."
    outbox.change("update notifications set spread_at = now() - interval '80 hours'")
    outbox.make_due()
    outbox.send()
    assert outbox.only().state == "given_up"


def test_a_receiver_that_wants_no_more_of_one_is_asked_no_more(
    receive: Receive, database: Database, tmp_path: Path
) -> None:
    receiver = receive(answers=[status(410)])
    outbox = Outbox(database, tmp_path, **to(receiver))
    outbox.add("01A")
    outbox.send()
    assert (outbox.only().state, outbox.only().attempts) == ("given_up", 1)
    assert outbox.only().finished_at is not None
    assert outbox.only().due_at is None
    outbox.make_due()
    outbox.send()
    assert len(receiver.requests) == 1


def test_what_does_not_go_is_given_up_when_its_time_is_over(
    receive: Receive, database: Database, tmp_path: Path
) -> None:
    outbox = Outbox(database, tmp_path, **to(receive(answers=[status(503)]), give_up_hours="2"))
    outbox.add("01A")
    outbox.send()
    assert outbox.only().state == "pending"
    outbox.change("update notifications set spread_at = now() - interval '2 hours'")
    outbox.make_due()
    outbox.send()
    assert (outbox.only().state, outbox.only().message) == ("given_up", f"{NAME} answered with status 503.")


def test_a_receiver_that_the_settings_do_not_name_any_more_keeps_its_time(
    receive: Receive, database: Database, tmp_path: Path
) -> None:
    receiver = receive(answers=[status(500), status(204)])
    named = Outbox(database, tmp_path, **to(receiver))
    named.add("01A")
    named.send()
    named.make_due()
    Outbox(database, tmp_path).send()
    assert (named.only().state, named.only().message) == ("pending", "The settings do not name this receiver any more.")
    named.make_due()
    named.send()
    assert named.only().state == "delivered"


def test_killed_between_sending_and_its_record_it_is_sent_twice_at_most_with_one_id(
    receive: Receive, database: Database, database_url: str, tmp_path: Path
) -> None:
    agents: list[subprocess.Popen[str]] = []

    def kill(_: BaseHTTPRequestHandler) -> None:
        os.kill(agents[0].pid, signal.SIGKILL)
        agents[0].wait()

    receiver = receive(answers=[kill, status(204)])
    outbox = Outbox(database, tmp_path, **to(receiver))
    outbox.add("01A")
    work: dict[str, Any] = {"url": database_url, "folder": str(tmp_path), "names": {NAME: "127.0.0.1"}}
    command = [sys.executable, "-m", "tests.integration.notifications.outbox"]
    agents.append(subprocess.Popen(command, stdin=subprocess.PIPE, text=True))
    agents[0].communicate(json.dumps({**work, "given": to(receiver)}))
    assert agents[0].returncode == -signal.SIGKILL
    assert (outbox.only().state, outbox.only().attempts) == ("pending", 1)
    outbox.send()
    assert len(receiver.requests) == 1, "nobody knows yet that it did not go"
    for _ in range(2):
        outbox.make_due()
        outbox.send()
    assert receiver.ids() == ["01A", "01A"]
    assert (outbox.only().state, outbox.only().attempts) == ("delivered", 2)


def test_many_who_spread_and_send_at_once_log_once_and_send_once(
    receive: Receive, database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = receive()
    outboxes = [Outbox(database, tmp_path, **to(receiver)) for _ in range(6)]
    for number in range(5):
        outboxes[0].add(f"01{number}")
    with caplog.at_level(logging.WARNING):
        threads = [threading.Thread(target=outbox.send) for outbox in outboxes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    while any(one.state == "pending" for one in outboxes[0].deliveries()):
        outboxes[0].send()
    assert sorted(receiver.ids()) == [f"01{number}" for number in range(5)]
    assert len([line for line in caplog.messages if line.startswith("Notification from n: spike: visitors: 412")]) == 5


def test_etcd_may_be_down_while_webhooks_flow(receive: Receive, database: Database, kv: EtcdKv, tmp_path: Path) -> None:
    receiver = receive()
    gone = Registry(EtcdKv(Etcd(address="127.0.0.1:1")))
    outbox = Outbox(database, tmp_path, gone, **to(receiver))
    outbox.add("01A")
    with pytest.raises(RegistryDown):
        deliver(outbox.context)
    outbox.send()
    assert receiver.ids() == ["01A"]
    back = Outbox(database, tmp_path, Registry(kv), **to(receiver))
    back.send()
    assert deliver(back.context) == 1
    (told,) = Registry(kv).list_notifications()
    assert (told["id"], told["run_id"]) == ("n/01A", None)
    assert receiver.ids() == ["01A"]


def test_deliveries_are_listed_page_by_page_and_counted(receive: Receive, database: Database, tmp_path: Path) -> None:
    outbox = Outbox(database, tmp_path, **to(receive(), receive(answers=[status(410)])))
    service = NotificationService(None, database)  # type: ignore[arg-type]
    identifier = service.test()
    outbox.add("01A")
    outbox.send()
    outbox.make_due()
    outbox.send()
    everything = outbox.deliveries()
    assert [one.id for one in everything] == [identifier, identifier, "01A", "01A"]
    assert (everything[0].kind, everything[0].tool) == ("test", "")
    pages, after = [], None
    while page := service.deliveries(after=after, limit=1):
        pages += page
        after = page[-1].place
    assert pages == everything
    assert [one.state for one in service.deliveries(state="given_up")] == ["given_up"] * 2
    figures = {figure.name: figure.values for figure in FigureService(database, slots=4).read()}
    assert figures["mao_deliveries_given_up"] == figures["mao_deliveries_delivered"] == {"webhook": 2, "email": 0}
    assert figures["mao_deliveries_pending"] == {"webhook": 0, "email": 0}
    assert "s3cret" not in repr(everything)
