"""What ``maoctl doctor`` checks, from near to far: the file, the server, the token, the systems, the clock."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cli.config import Connection
from cli.endpoints import Server
from cli.errors import CliError, Unreached
from cli.times import now, parse_instant, show_instant

CLOCK_TOLERANCE = timedelta(seconds=5)
EXPIRY_WARNING = timedelta(days=7)
GIVEN_UP_LATELY = timedelta(days=7)
MOST_DELIVERIES = 500
_CURES = {"docker": "Start it, or name another: `socket` in section DOCKER of the server's config.ini, or DOCKER_HOST."}


@dataclass(frozen=True)
class Finding:
    """The result of one check; a bad one says the cure."""

    check: str
    is_ok: bool
    detail: str
    cure: str = ""


def examine(connection: Connection, server: Server) -> Iterator[Finding]:
    """Give one finding for each check; a server that is not reached ends the list."""
    yield _file(connection)
    try:
        server_time = server.alive()
    except CliError as error:
        yield _bad("server", error)
        return
    yield _guarded("server", lambda: Finding("server", True, f"{server.url}, version {server.version()}"))
    yield _transport(connection)
    yield _guarded("token", lambda: _token(connection, server))
    yield from _systems(server)
    yield from _deliveries(connection, server)
    yield _clock(server_time)


def _bad(check: str, error: CliError) -> Finding:
    cure = error.hint or ("Is the address right, and does the server run?" if isinstance(error, Unreached) else "")
    return Finding(check, False, error.message, cure)


def _guarded(check: str, examination: Callable[[], Finding]) -> Finding:
    try:
        return examination()
    except CliError as error:
        return _bad(check, error)


def _file(connection: Connection) -> Finding:
    if connection.file is None:
        return Finding("configuration", True, f"no file; the URL comes from {connection.url_source}")
    mode = stat.S_IMODE(connection.file.stat().st_mode)
    cure = f"chmod 600 {connection.file}" if mode & 0o077 else ""
    return Finding("configuration", not cure, f"{connection.file}, mode {mode:04o}", cure)


def _transport(connection: Connection) -> Finding:
    if connection.is_encrypted or connection.is_loopback:
        return Finding("transport", True, "encrypted" if connection.is_encrypted else "on this machine")
    return Finding("transport", False, "the token travels unencrypted", "Put TLS before the server and use https.")


def _token(connection: Connection, server: Server) -> Finding:
    if not connection.token:
        return Finding(
            "token", False, f"found {connection.token_source}", "Name it with --token-file or MAO_TOKEN_FILE."
        )
    values = server.whoami()
    detail = f"{values.get('identifier')} of {values.get('owner')}, from {connection.token_source}"
    expires_at = parse_instant(str(values.get("expiresAt")))
    if expires_at is None:
        return Finding("token", True, detail)
    detail += f", expires {show_instant(expires_at)}"
    is_lasting = expires_at - now() > EXPIRY_WARNING
    return Finding("token", is_lasting, detail, "" if is_lasting else "Make a new one with `maoctl token create`.")


def _systems(server: Server) -> Iterator[Finding]:
    try:
        systems = server.ready().get("systems")
    except CliError as error:
        yield _bad("systems", error)
        return
    for name, state in systems.items() if isinstance(systems, dict) else ():
        is_up = isinstance(state, dict) and state.get("isUp") is True
        detail = str(state.get("detail") or "") if isinstance(state, dict) else ""
        cure = _CURES.get(str(name), f"Start {name} on the server, or see its log.")
        yield Finding(str(name), is_up, detail, "" if is_up else cure)


def _deliveries(connection: Connection, server: Server) -> Iterator[Finding]:
    """Look for notifications that do not reach their receivers, where the token may ask."""
    try:
        if not connection.token or "node_write" not in server.whoami().get("permissions", ()):
            return
        newest = server.list_deliveries(1, {"state": "given_up"}).items
        waiting = server.list_deliveries(MOST_DELIVERIES, {"state": "pending"}).items
    except CliError:
        # What is wrong with the server or with the token is said in other lines.
        return
    if failing := [delivery for delivery in waiting if delivery.get("attempts")]:
        newest_of_all = f"the newest, to {failing[0].get('target')}: {failing[0].get('message')}"
        detail = f"{len(failing)} failed and will be tried again; {newest_of_all}"
        yield Finding("deliveries", False, detail, "See `maoctl notification deliveries --state pending`.")
    finished_at = parse_instant(str(newest[0].get("finishedTime"))) if newest else None
    if finished_at is None or now() - finished_at > GIVEN_UP_LATELY:
        yield Finding("notifications", True, "none was given up in the last 7 days")
        return
    detail = f"one to {newest[0].get('target')} was given up: {newest[0].get('message')}"
    yield Finding("notifications", False, detail, "See `maoctl notification deliveries --state given_up`.")


def _clock(server_time: datetime | None) -> Finding:
    if server_time is None:
        return Finding("clock", False, "the server does not say its time", "Does a proxy remove the header Date?")
    difference = abs(now() - server_time)
    is_ok = difference <= CLOCK_TOLERANCE
    detail = f"{difference.total_seconds():.0f} s from the server's"
    return Finding("clock", is_ok, detail, "" if is_ok else "Set the clock here and on the server by NTP.")
