"""Messages to receivers outside: what is signed, what is told, and what a tool's words cannot do to an e-mail."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.clock import utc_now
from app.models.notification import Notification
from app.notification_settings import NotificationSettings
from app.services.deliveries import pause_seconds
from app.services.messages import body_of, email_of, headers_of, signature
from app.spike import judge

AT = datetime(2026, 11, 22, 14, 0, 5, 900_000, tzinfo=UTC)
KEYS = (b"k" * 32, b"o" * 24)


def a_notification(**changes: Any) -> Notification:
    known: dict[str, Any] = {
        "ulid": "01M80R56GMQRBYJ5EBVZVHYV8D",
        "kind": "spike",
        "tool": "visitors",
        "run_id": 4,
        "incident_id": None,
        "summary": "412 where 890 to 930 was expected.",
        "values": {"status": "drop", "score": 7.5},
        "created_at": AT - timedelta(seconds=5),
    }
    return Notification(**{**known, **changes})


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Verify by the very function that docs/operations.md gives to receivers."""
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    found = re.search(r"```python\n(import base64.*?)```", page, re.DOTALL)
    assert found
    told: dict[str, Any] = {}
    exec(found[1], told)
    return bool(told["is_genuine"](headers, body, secret))


def test_the_signature_is_that_of_the_example_in_standard_webhooks() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}', key)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_secrets_are_changed_a_message_is_genuine_by_either_and_by_no_other() -> None:
    body = body_of(a_notification(), "node-a")
    now = utc_now()
    headers = headers_of("01M80R56GMQRBYJ5EBVZVHYV8D", body, KEYS, now)
    secrets = ["whsec_" + base64.b64encode(key).decode() for key in (*KEYS, b"x" * 32)]
    assert [is_genuine(headers, body, secret) for secret in secrets] == [True, True, False]
    assert not is_genuine(headers, body + b" ", secrets[0])
    assert not is_genuine({**headers, "webhook-timestamp": "1"}, body, secrets[0])
    assert headers["webhook-timestamp"] == str(int(now.timestamp()))


@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_the_documented_function_verifies_either_kind_of_secret_and_refuses_an_old_message(prefix: str) -> None:
    secret = prefix + base64.b64encode(b"k" * 32).decode()
    keys = NotificationSettings(webhook_secrets=secret).keys
    old = headers_of("01A", b"{}", keys, utc_now() - timedelta(minutes=6))
    assert is_genuine(headers_of("01A", b"{}", keys, utc_now()), b"{}", secret)
    assert not is_genuine(old, b"{}", secret)


def test_a_body_tells_all_and_is_the_same_each_time() -> None:
    told = json.loads(body_of(a_notification(), "node-a"))
    assert told == {
        "id": "01M80R56GMQRBYJ5EBVZVHYV8D",
        "kind": "spike",
        "status": "drop",
        "tool": "visitors",
        "runId": 4,
        "incidentId": None,
        "node": "node-a",
        "summary": "412 where 890 to 930 was expected.",
        "values": {"status": "drop", "score": 7.5},
        "time": "2026-11-22T14:00:00.900000+00:00",
    }
    assert body_of(a_notification(), "node-a") == body_of(a_notification(), "node-a")


def test_of_verdicts_a_body_tells_the_figures_and_of_each_metric_its_status() -> None:
    verdict = judge([900.0] * 30 + [412.0], "rolling").to_dict()
    named = {f"metric-{number}": verdict for number in range(50)}
    body = body_of(a_notification(values={**verdict, "metric": "metric-1", "metrics": named}), "node-a")
    told = json.loads(body)["values"]
    assert told.keys() <= {"status", "metric", "expected", "low", "high", "current", "score", "metrics"}
    assert (told["status"], told["metric"], told["current"]) == (verdict["status"], "metric-1", 412.0)
    assert told["metrics"] == dict.fromkeys(named, verdict["status"])
    assert len(body) < 2500


def test_an_email_says_what_happened_and_how_to_look() -> None:
    message = email_of(a_notification(incident_id=3), "node-a", "mao@example.org", "olga@example.org")
    assert message["Subject"] == "[MAO node-a] drop: visitors"
    assert (message["From"], message["To"]) == ("mao@example.org", "olga@example.org")
    assert message["Message-ID"] == "<01M80R56GMQRBYJ5EBVZVHYV8D@example.org>"
    text = message.get_content()
    assert text.startswith("412 where 890 to 930 was expected.\n\n")
    assert "Run:      4\nIncident: 3\nNode:     node-a" in text
    assert text.endswith("maoctl run show 4\n  maoctl metric get visitors\n")


def test_only_of_an_anomaly_the_status_says_what_happened() -> None:
    told = email_of(a_notification(kind="recovered"), "n", "m@e.org", "o@e.org")
    assert told["Subject"] == "[MAO n] recovered: visitors"
    assert email_of(a_notification(values={}), "n", "m@e.org", "o@e.org")["Subject"] == "[MAO n] spike: visitors"


@pytest.mark.parametrize("changes", [{"kind": "silence"}, {"kind": "recovered", "values": {"kind": "silence"}}])
def test_an_email_about_silence_shows_what_became_of_the_jobs(changes: dict[str, Any]) -> None:
    values = {"jobs": ["daily", "hourly"], **changes.get("values", {})}
    message = email_of(a_notification(**{**changes, "values": values}, run_id=None), "n", "m@e.org", "o@e.org")
    told = "  maoctl job firings daily\n  maoctl job firings hourly\n  maoctl incident get --tool visitors\n"
    assert message.get_content().endswith(f"To look at it:\n{told}")
    assert "metric get" not in message.get_content()


def test_an_email_about_no_tool_names_no_command() -> None:
    message = email_of(a_notification(kind="test", tool="", run_id=None), "n", "m@e.org", "o@e.org")
    assert message["Subject"] == "[MAO n] test"
    assert "maoctl" not in message.get_content()


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00"])
def test_no_words_of_a_tool_make_a_header_or_a_line_of_their_own(end: str) -> None:
    hostile = f"x{end}Bcc: sven@example.org{end}{end}.{end}"
    message = email_of(
        a_notification(tool=hostile, kind=hostile, summary=hostile), "n", "mao@example.org", "olga@example.org"
    )
    read = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert read["Bcc"] is None
    assert read["To"] == "olga@example.org"
    lines = re.split("[\r\n]+", read.get_content())
    assert not [line for line in lines if line.startswith(("Bcc", "."))]


def test_words_that_look_encoded_stay_as_they_are() -> None:
    hostile = "=?utf-8?q?=0D=0ABcc:_sven?= =?utf-8?b?aGlkZGVu?="
    message = email_of(a_notification(tool=hostile), "n", "mao@example.org", "olga@example.org")
    read = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert "Bcc: sven" not in read["Subject"]
    assert "hidden" not in read["Subject"]
    assert "?utf-8?b?aGlkZGVu?=" in read["Subject"]


def test_half_a_character_is_no_error() -> None:
    message = email_of(a_notification(summary="a\ud800b"), "n", "mao@example.org", "olga@example.org")
    assert "a?b" in message.get_content()


def test_pauses_double_up_to_an_hour_and_chance_keeps_them_apart() -> None:
    assert [pause_seconds(attempts, 1.0) for attempts in (1, 2, 3, 8, 100, 10_000)] == [30, 60, 120, 3600, 3600, 3600]
    assert pause_seconds(1, 0.0) == 15
