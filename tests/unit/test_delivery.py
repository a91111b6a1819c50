"""What a node hears of the others, and what it tells them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from app.models.notification import Notification
from app.repositories.memory_kv import MemoryKv
from app.repositories.registry import Registry
from app.services import delivery
from app.services.delivery import deliver, listen

TOLD = {"kind": "spike", "tool": "visitors", "summary": "Twice as many."}


class Told:
    """A federation in which two nodes tell something, and then the term of office is over."""

    def watch_notifications(self, stop: threading.Event) -> Iterator[dict[str, Any]]:
        yield {**TOLD, "node": "ours"}
        yield {**TOLD, "node": "theirs"}
        stop.set()


def test_a_node_logs_what_others_tell_and_its_own_not_a_second_time(caplog: pytest.LogCaptureFixture) -> None:
    context: Any = SimpleNamespace(registry=Told(), node="ours", lost=threading.Event())
    with caplog.at_level(logging.WARNING):
        listen(context)
    assert caplog.messages == ["Notification from theirs: spike: visitors: Twice as many."]


def test_one_that_is_too_large_for_etcd_goes_without_its_values_and_holds_up_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    large = {"values": {"sentence": "x" * 70_000}, "summary": "y" * 70_000}
    waiting = [
        Notification(ulid="01A", kind="spike", tool="v", run_id=1, created_at=now, **large),
        Notification(ulid="01B", kind="spike", tool="v", run_id=2, created_at=now, values={"a": 1}, summary="s"),
    ]
    marked: list[str] = []
    outbox = SimpleNamespace(undelivered=lambda: waiting, mark_delivered=marked.append)
    monkeypatch.setattr(delivery, "NotificationRepository", lambda _: outbox)

    @contextmanager
    def transaction() -> Iterator[None]:
        yield

    registry = Registry(MemoryKv())
    context: Any = SimpleNamespace(database=SimpleNamespace(transaction=transaction), registry=registry, node="n")
    assert deliver(context) == 2
    assert marked == ["01A", "01B"]
    first, second = registry.list_notifications()
    assert (first["values"], len(first["summary"])) == ({}, 1000)
    assert second["values"] == {"a": 1}
