"""What receivers outside get to read of a notification: a signed body of JSON, or an e-mail. Nothing here sends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from app import __version__
from app.models.notification import Notification

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SUBJECT_LENGTH = 200
_OF_VERDICTS = ("status", "metric", "expected", "low", "high", "current", "score")
_MOST_JOBS = 5


def body_of(notification: Notification, node: str) -> bytes:
    """Give a notification as JSON; the same one gives the same bytes each time."""
    told: dict[str, Any] = {
        "id": notification.ulid,
        "kind": notification.kind,
        "status": notification.values.get("status"),
        "tool": notification.tool,
        "runId": notification.run_id,
        "incidentId": notification.incident_id,
        "node": node,
        "summary": notification.summary,
        "values": _short(notification.values),
        "time": notification.created_at.isoformat(),
    }
    return json.dumps(told, separators=(",", ":")).encode()


def _short(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give values as they are; but of verdicts what a receiver can use, and of each metric its status."""
    metrics = values.get("metrics")
    if not isinstance(metrics, Mapping):
        return dict(values)
    told = {name: values[name] for name in _OF_VERDICTS if name in values}
    statuses = {name: found.get("status") if isinstance(found, Mapping) else found for name, found in metrics.items()}
    return {**told, "metrics": statuses}


def headers_of(ulid: str, body: bytes, keys: Sequence[bytes], at: datetime) -> dict[str, str]:
    """Give the headers of a message in the layout of Standard Webhooks, signed with every one of ``keys``."""
    seconds = str(int(at.timestamp()))
    return {
        "content-type": "application/json",
        "user-agent": f"mao-orchestrator/{__version__}",
        "webhook-id": ulid,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signature(ulid, seconds, body, key) for key in keys),
    }


def signature(ulid: str, seconds: str, body: bytes, key: bytes) -> str:
    """Give the signature of ``id.timestamp.body``: HMAC-SHA256 in base64, behind the version ``v1``."""
    signed = f"{ulid}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def email_of(notification: Notification, node: str, sender: str, to: str) -> EmailMessage:
    """Give a notification as plain text. Its Message-ID is the notification's, so that a repetition is recognised."""
    message = EmailMessage()
    what = word_for(notification.kind, notification.values)
    subject = f"[MAO {node}] {what}: {notification.tool}" if notification.tool else f"[MAO {node}] {what}"
    message["Subject"] = _one_line(subject)[:_SUBJECT_LENGTH]
    message["From"], message["To"] = sender, to
    message["Date"] = format_datetime(notification.created_at)
    message["Message-ID"] = f"<{notification.ulid}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(_lines(notification, node)) + "\n")
    return message


def word_for(kind: str, values: Mapping[str, Any]) -> str:
    """Give what happened in a word: of an anomaly, whatever it is, the kind says ``spike`` and the status which."""
    return str(values.get("status") or kind) if kind == "spike" else kind


def _lines(notification: Notification, node: str) -> list[str]:
    facts = {
        "Kind": notification.kind,
        "Status": notification.values.get("status"),
        "Tool": notification.tool,
        "Run": notification.run_id,
        "Incident": notification.incident_id,
        "Node": node,
        "Time": notification.created_at.isoformat(timespec="seconds"),
    }
    known = [f"{name + ':':<10}{_one_line(str(fact))}" for name, fact in facts.items() if fact not in (None, "")]
    looks = [f"  maoctl {_one_line(command)}" for command in _commands(notification)]
    return [_one_line(notification.summary), "", *known, *(["", "To look at it:", *looks] if looks else [])]


def _commands(notification: Notification) -> list[str]:
    """Give the commands that show more: of silence there is neither a run nor a number, but what became of jobs."""
    commands = [f"run show {notification.run_id}"] if notification.run_id else []
    if "silence" in (notification.kind, notification.values.get("kind")):
        jobs = list(notification.values.get("jobs") or [])[:_MOST_JOBS]
        return [*commands, *(f"job firings {job}" for job in jobs), f"incident get --tool {notification.tool}"]
    return [*commands, *([f"metric get {notification.tool}"] if notification.tool else [])]


def _one_line(text: str) -> str:
    """Give a text without what could begin another line, or another header, or words that a header encodes."""
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).replace("=?", "= ?").strip()
