"""Wait for an installation or for its removal. The waiting is ours alone: the agent goes on without us."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from cli.client import Json
from cli.endpoints import Server
from cli.errors import InstallationFailed, Refused
from cli.waiting import Watch

LOOK = "maoctl tool installed"


def wait_for_installation(server: Server, row: Json, watch: Watch, say: Callable[[str], None]) -> Json:
    """Wait until a tool is installed and give its row; ``say`` is told what the installer prints.

    Raises:
        InstallationFailed: it could not be installed.
        WaitTimedOut: it is not installed in time.
    """
    name, shown = str(row.get("name")), ""
    while row.get("state") in ("REQUESTED", "INSTALLING"):
        watch.check(f"Tool '{name}' is still {row.get('state')}", hint=f"Look with `{LOOK} {name}`.")
        watch.pause()
        row = watch.ask(partial(server.get_installation, name))
        shown = _say_what_is_new(str(row.get("log") or ""), shown, say)
    if row.get("state") != "READY" or row.get("message"):
        kept = " What was installed before can still be used." if row.get("isUsable") else ""
        raise InstallationFailed(f"Tool '{name}' is not installed: {row.get('message') or row.get('state')}{kept}")
    return row


def _say_what_is_new(log: str, shown: str, say: Callable[[str], None]) -> str:
    """Tell the whole lines that came since the last look, and give what has been shown now."""
    whole = log[: log.rfind("\n") + 1]
    news = whole.removeprefix(shown) if whole.startswith(shown) else whole
    for line in news.splitlines():
        say(line)
    return whole


def wait_for_uninstalling(server: Server, row: Json, watch: Watch) -> None:
    """Wait until nothing of a tool is installed any more.

    Raises:
        Refused: it is kept after all.
        WaitTimedOut: it is not gone in time.
    """
    name = str(row.get("name"))
    while row.get("state") == "REMOVING":
        watch.check(f"Tool '{name}' is still being uninstalled: {row.get('message')}", hint=f"Look with `{LOOK}`.")
        watch.pause()
        try:
            row = watch.ask(partial(server.get_installation, name))
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return
            raise
    raise Refused(f"Tool '{name}' was not uninstalled: it is {row.get('state')} again.")
