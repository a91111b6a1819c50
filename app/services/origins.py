"""Which run last wrote a file of a data set: git says in which commit, PostgreSQL which run made that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.errors import Invalid, NotFound
from app.models.run import Run
from app.models.token import Identity
from app.repositories.clones import CloneRepository
from app.repositories.database import Database
from app.services.agent_context import AgentContext
from app.services.questions import QuestionService
from app.services.runs import RunService

ORIGIN = "origin"
PATH_LENGTH = 1024
_NUMBER = re.compile(r"[0-9]{1,18}")


class OriginService:
    """Asks the agent for the commit, and finds its run among those in reach."""

    def __init__(self, database: Database, questions: QuestionService, runs: RunService) -> None:
        self._database = database
        self._questions = questions
        self._runs = runs

    def find(self, identity: Identity, name: str, path: str) -> dict[str, Any]:
        """Give the newest commit of the clone ``name`` that wrote or removed ``path``, and the run that made it.

        Where no run in reach is recorded with that commit, what is told of the run is what the commit says.

        Raises:
            Invalid: it is no path inside a data set.
            NotFound: there is no such clone, or nothing ever was at that path.
            StillWorking: the agent is at work on the answer.
        """
        # The agent reads the clone's own head, since people commit there too. The recorded one is part of the question
        # so that nothing that was answered before a run is given after it.
        body = {"clone": name, "recorded_head": self._recorded_head(name), "path": checked_path(path)}
        found = self._questions.ask(ORIGIN, body, is_fleeting=True)
        recorded = self._runs.search(identity, {"output_commit": found["commit"]}, limit=1)
        return {**found, "path": body["path"], **(_as_recorded(recorded[0]) if recorded else _as_told(found))}

    def _recorded_head(self, name: str) -> str:
        with self._database.transaction() as session:
            clone = CloneRepository(session).find(name)
        if clone is None or clone.head_commit is None:
            raise NotFound(
                f"This node has no clone '{name}' with a commit in it.", hint=f"Clone it: maoctl dataset clone {name}"
            )
        return clone.head_commit


def find_origin(context: AgentContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the question for the newest commit that touched a path: the agent's side.

    Raises:
        NotFound: nothing ever was at that path.
    """
    history, path = context.workdirs.history(body["clone"]), body["path"]
    head = history.head()
    change = history.newest_of(head, path) if head else None
    if change is None:
        raise NotFound(
            f"The data set '{body['clone']}' never had '{path}'.", hint="Paths count from the top of the data set."
        )
    return {
        "commit": change.commit,
        "time": change.committed_at.isoformat(),
        "subject": change.subject,
        "is_removed": not history.has(head, path),
        "trailers": dict(change.trailers),
    }


def checked_path(path: str) -> str:
    """Give a path that counts from the top of a data set, without what says nothing.

    Raises:
        Invalid: it is none.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    is_told = bool(parts) and path.isprintable() and len(path) <= PATH_LENGTH
    if not is_told or path.startswith("/") or ".." in parts:
        rule = f"Must be a path from the top of the data set, without '..', of at most {PATH_LENGTH} characters."
        raise Invalid("That is no path in a data set.", fields={"path": [rule]})
    return "/".join(parts)


def _as_recorded(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "tool": run.tool,
        "node": run.node,
        "operator": (run.conditions or {}).get("operator"),
        "image_digest": run.image_digest,
        "is_recorded": True,
    }


def _as_told(found: Mapping[str, Any]) -> dict[str, Any]:
    trailers = found["trailers"]
    number = trailers.get("Mao-Run", "")
    return {
        "run_id": int(number) if _NUMBER.fullmatch(number) else None,
        "tool": trailers.get("Mao-Tool"),
        "node": trailers.get("Mao-Node"),
        "operator": None,
        "image_digest": trailers.get("Mao-Image"),
        "is_recorded": False,
    }
