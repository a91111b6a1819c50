"""The launcher's steps about runs."""

from __future__ import annotations

from cli.endpoints import Server
from cli.exits import is_final
from cli.launcher.steps import some
from cli.prompts import Choice, choose

NEWEST = 200
WAYS = (
    Choice("list", "list them"),
    Choice("follow", "follow the output of one"),
    Choice("report", "read the report of one"),
    Choice("stop", "stop one"),
)


def look(server: Server) -> list[str]:
    """Ask what is wanted of which run."""
    match choose("What of them?", WAYS):
        case "list":
            return ["run", "list"]
        case "follow":
            return ["run", "output", _which(server), "--follow"]
        case "report":
            return ["run", "get", _which(server, is_over=True), "--report"]
        case _:
            return ["run", "stop", _which(server, is_over=False)]


def _which(server: Server, *, is_over: bool | None = None) -> str:
    """Ask for one of the newest runs, or of those that are over or are not."""
    runs = [
        run for run in server.list_runs(NEWEST).items if is_over is None or is_final(str(run.get("status"))) is is_over
    ]
    words = {None: "No run was made yet.", True: "No run is over yet.", False: "No run is under way."}
    described = [Choice(str(run.get("id")), f"{run.get('id')}  {run.get('tool')}  {run.get('status')}") for run in runs]
    return choose("Which run?", some(described, words[is_over]))
