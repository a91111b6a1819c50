"""`mao up`: the databases, the API and the agent on this machine, kept running until a signal comes."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.errors import Conflict, MaoError, Unauthenticated, Unavailable
from app.machine import api, databases
from app.machine.children import Child, Command
from app.machine.instance import Connection, claimed, read_connection, was_killed, write_connection
from app.settings import Settings, child_environment

if TYPE_CHECKING:
    from app.services.tokens import TokenService

_LOG = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]
_MAO = (sys.executable, "-P", "-m", "app.server")
_BEAT_SECONDS = 0.1
_READY_WITHIN_SECONDS = 90
_PORT_FREE_WITHIN_SECONDS = 20
_DEATHS_BEFORE_GIVING_UP = 3
_ENGINE_SECONDS = 2


class _Signals:
    """Remember that a stop was asked for. A flag and no exception: no step of the start is left half done."""

    def __init__(self) -> None:
        self.has_stop = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.has_stop = True


def run(settings: Settings, say: Callable[[str], None]) -> int:
    """Start everything, keep it running, and stop it in order; give the exit status.

    Raises:
        Locked: this instance is running already.
        Conflict: something else listens on the API's port.
        Unavailable: a part did not start.
    """
    signals = _Signals()
    patience_seconds = _PORT_FREE_WITHIN_SECONDS if was_killed(settings.instance) else 0
    with claimed(settings.instance) as claim, ExitStack() as stack:
        _require_free_port(settings, patience_seconds)
        settings, servers = databases.start(settings, stack)
        _prepare(settings, say)
        children = []
        for command in _commands(settings):
            child = Child(command, child_environment(settings))
            stack.callback(child.stop)
            child.start()
            children.append(child)
        if _became_ready(settings, children, signals):
            claim.mark_ready()
            greet(settings, say)
        while not signals.has_stop:
            for server in servers:
                server.watch()
            for child in children:
                child.watch()
            time.sleep(_BEAT_SECONDS)
        _LOG.info("Stopping the agent, the API and the databases; runs go on in their containers.")
    return 0


def url_of(settings: Settings) -> str:
    """Give the address at which this machine reaches the API."""
    host = "127.0.0.1" if settings.api.host in ("", "0.0.0.0", "::") else settings.api.host  # noqa: S104
    return f"http://{host}:{settings.api.port}"


def save_connection(settings: Settings, token: str) -> None:
    """Store the token, and where the API is, for the command line of this machine."""
    write_connection(settings.instance, Connection(url_of(settings), token))


def _require_free_port(settings: Settings, patience_seconds: float) -> None:
    """Be patient after a `mao up` that was killed: its API ends a little later."""
    deadline = time.monotonic() + patience_seconds
    while _is_taken(settings.api.host, settings.api.port):
        if time.monotonic() > deadline:
            raise Conflict(
                f"Something else listens on {settings.api.host}:{settings.api.port}.",
                hint="End it (`make stop`, where it is the demo), or choose another port: mao up --port NUMBER",
            )
        time.sleep(_BEAT_SECONDS)


def _is_taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _prepare(settings: Settings, say: Callable[[str], None]) -> None:
    """Bring the database up to date and see to it that this machine's command line has a token."""
    if not _mao(settings, "prepare"):
        return
    made = read_connection(settings.instance)
    if made and sys.stdout.isatty():
        say(f"Root token, shown only now: {made.token}")
    say(f"The root token is stored for maoctl in {settings.instance / 'maoctl.ini'}.")


def keep_or_make_token(settings: Settings, tokens: TokenService) -> bool:
    """Store a valid root token for the command line: the one that is stored, or a new one; give whether it is new.

    The database is asked and not the API's port, where somebody else's API may answer.
    """
    known = read_connection(settings.instance)
    try:
        tokens.authenticate(known.token if known else "")
    except Unauthenticated:
        made = tokens.create_root(settings.working_environment.user, actor="mao up")
        save_connection(settings, made)
        return True
    save_connection(settings, known.token if known else "")
    return False


def _mao(settings: Settings, *arguments: str) -> str:
    """Give what one `mao` command says, run in a process of its own, so that this one stays small."""
    done = subprocess.run(
        [*_MAO, *arguments], env=child_environment(settings), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise MaoError(f"`mao {' '.join(arguments)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def _commands(settings: Settings) -> Sequence[Command]:
    gunicorn = (sys.executable, "-P", "-m", "gunicorn", "--chdir", str(_ROOT), "-c", str(_gunicorn_config()))
    return (
        Command("The API", gunicorn, stop_seconds=40),
        Command("The agent", (*_MAO, "agent"), stop_seconds=40),
    )


def _gunicorn_config() -> Path:
    """Give the file that setup.py installs, or the one of a checkout."""
    in_checkout = _ROOT / "gunicorn.conf.py"
    return in_checkout if in_checkout.exists() else Path(sys.prefix) / "share" / "mao-orchestrator" / in_checkout.name


def _became_ready(settings: Settings, children: Sequence[Child], signals: _Signals) -> bool:
    """Wait until every request can be served; give False where a stop was asked for before."""
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    while not signals.has_stop:
        for child in children:
            child.watch()
            if child.deaths >= _DEATHS_BEFORE_GIVING_UP:
                raise Unavailable(f"{child.command.name} does not start; the lines above say why.")
        if not (down := _missing(settings)):
            return True
        if time.monotonic() > deadline:
            raise Unavailable(f"Not ready after {_READY_WITHIN_SECONDS} s; down: {', '.join(down)}.")
        time.sleep(_BEAT_SECONDS)
    return False


def _missing(settings: Settings) -> list[str]:
    connection = read_connection(settings.instance) or Connection(url_of(settings), "")
    try:
        return api.missing_systems(connection)
    except Unauthenticated:
        raise Conflict(
            f"Something else answers at {connection.url}, which does not know our token.",
            hint="Choose another port: mao up --port NUMBER",
        ) from None


def greet(settings: Settings, say: Callable[[str], None]) -> None:
    """Say where the product is and how to stop it."""
    url = url_of(settings)
    if not _listens(settings.docker.socket):
        say(f"No container engine answers at {settings.docker.socket}: the runs that need one wait for it.")
    say(f"MAO Orchestrator is ready: {url} (documentation: {url}/api/docs).")
    say(f"Stop it with: mao down --instance {settings.instance}")


def _listens(address: str) -> bool:
    """Tell whether somebody takes connections there. The agent knows more, but has not looked yet when all is ready."""
    place = urlsplit(address)
    is_unix = place.scheme == "unix"
    with socket.socket(socket.AF_UNIX if is_unix else socket.AF_INET) as probe:
        probe.settimeout(_ENGINE_SECONDS)
        try:
            probe.connect(place.path if is_unix else (place.hostname, place.port))
        except (OSError, TypeError):
            return False
    return True
