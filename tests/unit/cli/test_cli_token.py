"""``maoctl token``."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import cli.times
from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import a_page

SECRET = "mao_ci_" + "x" * 43
PATH = "/api/security/tokens/ci"


def test_whoami_shows_the_identity(maoctl: Run, server: StubServer) -> None:
    identity = {"identifier": "root", "owner": "me", "permissions": ["job_submit"], "expiresAt": None}
    server.on("GET", "/api/security/whoami", Reply(values=identity))
    assert maoctl("token", "whoami", "-o", "json").json == identity


def test_create_prints_the_token_alone_on_stdout(maoctl: Run, server: StubServer) -> None:
    server.on("POST", PATH, Reply(201, {"identifier": "ci", "token": SECRET}))
    result = maoctl("token", "create", "ci", "--permission", "job_submit", "--permission", "job_run_read")
    assert (result.exit, result.out) == (Exit.DONE, f"{SECRET}\n")
    assert SECRET not in result.err
    assert server.bodies("POST") == [{"permissions": ["job_submit", "job_run_read"]}]


@pytest.mark.parametrize(
    ("expires", "sent"),
    [("90d", "2027-02-20T03:00:00+00:00"), ("2027-01-01T00:00+01:00", "2027-01-01T00:00:00+01:00")],
)
def test_create_takes_an_instant_or_a_length_of_time(
    maoctl: Run, server: StubServer, monkeypatch: pytest.MonkeyPatch, expires: str, sent: str
) -> None:
    monkeypatch.setattr(cli.times, "now", lambda: datetime(2026, 11, 22, 3, tzinfo=UTC))
    server.on("POST", PATH, Reply(201, {"token": SECRET}))
    maoctl("token", "create", "ci", "--permission", "job_submit", "--expires", expires, "--owner", "them")
    assert server.bodies("POST")[0] == {"permissions": ["job_submit"], "expiresAt": sent, "owner": "them"}


@pytest.mark.parametrize("expires", ["tomorrow", "2027-01-01", "2027-13-01T00:00Z"])
def test_create_refuses_another_expiry(maoctl: Run, server: StubServer, expires: str) -> None:
    result = maoctl("token", "create", "ci", "--permission", "job_submit", "--expires", expires)
    assert (result.exit, server.requests) == (Exit.USAGE, [])
    assert "--expires" in result.err


def test_create_needs_a_permission(maoctl: Run) -> None:
    assert maoctl("token", "create", "ci").exit == Exit.USAGE


def test_create_of_more_than_one_holds_is_refused(maoctl: Run, server: StubServer) -> None:
    server.on("POST", PATH, Reply(403, {"message": "You do not hold registry_admin."}))
    assert maoctl("token", "create", "ci", "--permission", "registry_admin").exit == Exit.REFUSED


def test_revoke_says_so(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", PATH, Reply(204))
    assert maoctl("token", "revoke", "ci").out == "Token 'ci' is revoked.\n"


def test_list_shows_each_token_with_its_last_use(maoctl: Run, server: StubServer) -> None:
    ci = {"identifier": "ci", "owner": "us", "permissions": ["job_submit"], "lastUsedTime": "2026-11-22T03:00:00Z"}
    server.on("GET", "/api/security/tokens", Reply(values=a_page(ci)))
    assert "2026-11-22 03:00 UTC" in maoctl("token", "list").out
    assert maoctl("token", "list", "-o", "json").json == [ci]


@pytest.mark.parametrize(("options", "seconds"), [([], 0), (["--overlap", "1h"], 3600)])
def test_rotate_prints_the_new_token_alone_on_stdout(
    maoctl: Run, server: StubServer, options: list[str], seconds: int
) -> None:
    server.on("POST", f"{PATH}/rotate", Reply(200, {"identifier": "ci", "token": SECRET}))
    result = maoctl("token", "rotate", "ci", *options)
    assert (result.exit, result.out) == (Exit.DONE, f"{SECRET}\n")
    assert SECRET not in result.err
    assert server.bodies("POST") == [{"overlapSeconds": seconds}]
