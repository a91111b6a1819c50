"""What receivers outside get to read of a notification: a signed body of JSON, or an e-mail. Nothing here sends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from app import __version__
from app.models.notification import Notification

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SUBJECT_LENGTH = 200


def body_of(notification: Notification, node: str) -> bytes:
    """Give a notification as JSON; the same one gives the same bytes each time."""
    told: dict[str, Any] = {
        "id": notification.ulid,
        "kind": notification.kind,
        "tool": notification.tool,
        "runId": notification.run_id,
        "incidentId": notification.incident_id,
        "node": node,
        "summary": notification.summary,
        "values": notification.values,
        "time": notification.created_at.isoformat(),
    }
    return json.dumps(told, separators=(",", ":")).encode()


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
    subject = f"[MAO {node}] {notification.kind} {notification.tool}".strip()
    message["Subject"] = _one_line(subject)[:_SUBJECT_LENGTH]
    message["From"], message["To"] = sender, to
    message["Date"] = format_datetime(notification.created_at)
    message["Message-ID"] = f"<{notification.ulid}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(_lines(notification, node)) + "\n")
    return message


def _lines(notification: Notification, node: str) -> list[str]:
    facts = {
        "Kind": notification.kind,
        "Tool": notification.tool,
        "Run": notification.run_id,
        "Incident": notification.incident_id,
        "Node": node,
        "Time": notification.created_at.isoformat(timespec="seconds"),
    }
    known = [f"{name + ':':<10}{_one_line(str(fact))}" for name, fact in facts.items() if fact not in (None, "")]
    looks = [f"  maoctl run show {notification.run_id}"] if notification.run_id else []
    looks += [f"  maoctl metric get {_one_line(notification.tool)}"] if notification.tool else []
    return [_one_line(notification.summary), "", *known, *(["", "To look at it:", *looks] if looks else [])]


def _one_line(text: str) -> str:
    """Give a text without what could begin another line, or another header, or words that a header encodes."""
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).replace("=?", "= ?").strip()
