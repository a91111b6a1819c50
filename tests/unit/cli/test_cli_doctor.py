"""``maoctl doctor``: one line a check, each bad one with its cure."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from cli.exits import Exit
from cli.times import now
from tests.unit.cli.conftest import TOKEN, Reply, Run, StubServer

LOCAL = "http://127.0.0.1:8080"


@pytest.fixture
def config(place: Path) -> Path:
    path = place / "instance" / "maoctl.ini"
    path.parent.mkdir()
    path.write_text(f"[maoctl]\nurl = {LOCAL}\ntoken = {TOKEN}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def healthy(server: StubServer, config: Path) -> StubServer:
    server.on("GET", "/healthz", Reply(values={"status": "alive"}, headers={"Date": format_datetime(now())}))
    server.on("GET", "/api/openapi.json", Reply(values={"info": {"version": "0.1.0"}}))
    server.on("GET", "/api/security/whoami", Reply(values={"identifier": "root", "owner": "me", "expiresAt": None}))
    systems = {"postgres": {"isUp": True, "detail": "15.18"}, "agent": {"isUp": True, "detail": "1 s ago"}}
    server.on("GET", "/readyz", Reply(values={"status": "ready", "systems": systems}))
    return server


def findings(result: Any) -> dict[str, dict[str, str]]:
    return {row["check"]: row for row in result.json}


def test_a_healthy_server_is_ok_in_every_line(bare: Run, healthy: StubServer) -> None:
    result = bare("doctor")
    assert result.exit == Exit.DONE
    heading, *rows = result.out.splitlines()
    assert heading.split() == ["RESULT", "CHECK", "DETAIL", "CURE"]
    assert {row.split()[0] for row in rows} == {"ok"}
    checks = ["configuration", "server", "transport", "token", "postgres", "agent", "clock"]
    assert [row.split()[1] for row in rows] == checks
    assert "version 0.1.0" in result.out
    assert TOKEN not in result.out


def test_a_file_that_others_can_read_is_bad(bare: Run, healthy: StubServer, config: Path) -> None:
    config.chmod(0o644)
    result = bare("doctor", "-o", "json")
    assert result.exit == Exit.REFUSED
    assert findings(result)["configuration"]["cure"] == f"chmod 600 {config.relative_to(Path.cwd())}"


def test_a_server_that_is_not_reached_ends_the_list(bare: Run, server: StubServer, config: Path) -> None:
    server.on("GET", "/healthz", requests.ConnectTimeout("away"))
    result = bare("doctor", "-o", "json")
    assert result.exit == Exit.REFUSED
    assert list(findings(result)) == ["configuration", "server"]
    assert findings(result)["server"]["cure"]


def test_a_system_that_is_down_is_named(bare: Run, healthy: StubServer) -> None:
    systems = {"etcd": {"isUp": False, "detail": "connection refused"}, "postgres": {"isUp": True, "detail": "15"}}
    healthy.on("GET", "/readyz", Reply(503, {"status": "not ready", "systems": systems}))
    result = bare("doctor", "-o", "json")
    assert result.exit == Exit.REFUSED
    assert findings(result)["etcd"]["result"] == "bad"
    assert "etcd" in findings(result)["etcd"]["cure"]
    assert findings(result)["postgres"]["result"] == "ok"


def test_the_cure_of_a_missing_engine_names_the_setting(bare: Run, healthy: StubServer) -> None:
    detail = "The container engine at unix:///var/run/docker.sock does not answer."
    systems = {"docker": {"isUp": False, "detail": detail}}
    healthy.on("GET", "/readyz", Reply(503, {"status": "not ready", "systems": systems}))
    row = findings(bare("doctor", "-o", "json"))["docker"]
    assert (row["result"], row["detail"]) == ("bad", detail)
    assert "`socket` in section DOCKER" in row["cure"]
    assert "DOCKER_HOST" in row["cure"]


def test_an_unknown_token_is_bad(bare: Run, healthy: StubServer) -> None:
    healthy.on("GET", "/api/security/whoami", Reply(401, {"message": "Unknown token.", "hint": "Ask for another."}))
    row = findings(bare("doctor", "-o", "json"))["token"]
    assert (row["result"], row["cure"]) == ("bad", "Ask for another.")


def test_a_missing_token_is_bad(bare: Run, healthy: StubServer) -> None:
    row = findings(bare("--url", "http://127.0.0.1:9999", "doctor", "-o", "json"))["token"]
    assert row["result"] == "bad"
    assert "another URL" in row["detail"]


@pytest.mark.parametrize(("days", "expected"), [(3, "bad"), (30, "ok")])
def test_a_token_about_to_expire_is_bad(bare: Run, healthy: StubServer, days: int, expected: str) -> None:
    expires = (now() + timedelta(days=days)).isoformat()
    healthy.on("GET", "/api/security/whoami", Reply(values={"identifier": "a", "owner": "b", "expiresAt": expires}))
    assert findings(bare("doctor", "-o", "json"))["token"]["result"] == expected


@pytest.mark.parametrize(("seconds", "expected"), [(-60, "bad"), (60, "bad"), (1, "ok")])
def test_a_clock_that_differs_is_bad(bare: Run, healthy: StubServer, seconds: int, expected: str) -> None:
    date = format_datetime(now() + timedelta(seconds=seconds))
    healthy.on("GET", "/healthz", Reply(values={"status": "alive"}, headers={"Date": date}))
    assert findings(bare("doctor", "-o", "json"))["clock"]["result"] == expected


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}])
def test_a_server_without_a_time_is_bad(bare: Run, healthy: StubServer, headers: dict[str, str]) -> None:
    healthy.on("GET", "/healthz", Reply(values={"status": "alive"}, headers=headers))
    assert findings(bare("doctor", "-o", "json"))["clock"]["result"] == "bad"


def test_a_token_that_travels_unencrypted_is_bad(bare: Run, healthy: StubServer, config: Path) -> None:
    config.write_text(f"[maoctl]\nurl = http://mao.test\ntoken = {TOKEN}\n")
    assert findings(bare("doctor", "-o", "json"))["transport"]["result"] == "bad"


def test_a_server_of_another_kind_is_bad(bare: Run, healthy: StubServer) -> None:
    for path in ("/api/openapi.json", "/readyz", "/api/security/whoami"):
        healthy.on("GET", path, Reply(body=b"<html>"))
    rows = findings(bare("doctor", "-o", "json"))
    assert {rows[check]["result"] for check in ("server", "token", "systems")} == {"bad"}


def test_without_any_configuration_the_cure_is_told(bare: Run) -> None:
    result = bare("doctor")
    assert result.exit == Exit.USAGE
    assert "mao up" in result.err


@pytest.mark.parametrize(("days", "expected"), [(1, "bad"), (8, "ok"), (None, "ok")])
def test_a_notification_that_was_given_up_lately_is_told_to_who_may_know(
    bare: Run, healthy: StubServer, days: int | None, expected: str
) -> None:
    may = {"identifier": "root", "owner": "me", "expiresAt": None, "permissions": ["node_write"]}
    healthy.on("GET", "/api/security/whoami", Reply(values=may))
    lost = {"target": "h#1f", "message": "h answered 500."}
    items = [] if days is None else [{**lost, "finishedTime": (now() - timedelta(days=days)).isoformat()}]
    waiting = [{**lost, "attempts": 0, "message": None}]
    replies = [Reply(values={"items": found, "next": None}) for found in (items, waiting)]
    healthy.on("GET", "/api/notifications/deliveries", *replies)
    row = findings(bare("doctor", "-o", "json"))["notifications"]
    assert row["result"] == expected
    assert ("h#1f" in row["detail"]) == (expected == "bad")


def test_it_is_said_how_many_deliveries_fail_now(bare: Run, healthy: StubServer) -> None:
    may = {"identifier": "root", "owner": "me", "expiresAt": None, "permissions": ["node_write"]}
    healthy.on("GET", "/api/security/whoami", Reply(values=may))
    failing = {"target": "h#1f", "message": "h refuses the connection.", "attempts": 3}
    waiting = [failing, {**failing, "target": "i#1f"}, {**failing, "attempts": 0}]
    replies = [Reply(values={"items": items, "next": None}) for items in ([], waiting)]
    healthy.on("GET", "/api/notifications/deliveries", *replies)
    row = findings(bare("doctor", "-o", "json"))["deliveries"]
    assert row["result"] == "bad"
    assert row["detail"].startswith("2 failed and will be tried again; the newest, to h#1f: h refuses")
