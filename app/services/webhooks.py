"""Webhooks: what a run's backend may say and fetch, with an id that only the run itself was given.

The id is made of the run's number and a key of the installation. It is stored nowhere and shown by no call, so whoever
knows it has it from the run. It is no way around what counts as evidence: while an agent holds a run, the agent sees
for itself what its backend shows.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from app.errors import Forbidden, Invalid, NotFound, WrongState
from app.models.file import RunFile
from app.models.run import HELD, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.agents import AgentRepository
from app.repositories.database import Database, Session
from app.repositories.runs import RunRepository
from app.services.doubt import CAUSES, end_doubt
from app.services.run_files import FileService
from app.services.runs import parse_status
from app.services.tool_rules import TEXT_LENGTH, line

ACTOR = "webhook"
KEYS_MOST = 50
_ID = re.compile(r"([1-9][0-9]{0,17})-[0-9a-f]{64}")


def identification_keys(value: Mapping[str, str]) -> Iterable[str]:
    """Give the rules that some identification keys break."""
    if len(value) > KEYS_MOST:
        yield f"Must be at most {KEYS_MOST}."
    if any(not name for name in value):
        yield "A key must have a name."
    if any(list(line(word)) for word in (*value.keys(), *value.values())):
        yield f"Each name and value must be one line of at most {TEXT_LENGTH} characters without control characters."


def webhook_id(run_id: int, key: str) -> str:
    """Give the webhook id of a run; ``key`` is the installation's, in hex."""
    digest = hmac.new(bytes.fromhex(key), str(run_id).encode(), hashlib.sha256).hexdigest()
    return f"{run_id}-{digest}"


class WebhookService:
    """The use cases of webhooks. Who calls needs the permission and the id; whose run it is does not matter."""

    def __init__(self, database: Database, files: FileService) -> None:
        self._database = database
        self._files = files

    def update(
        self,
        identity: Identity,
        given_id: str,
        *,
        status: str | None = None,
        identification_keys: dict[str, str] | None = None,
        message: str | None = None,
    ) -> Run:
        """Take what a backend says about its run: a status, keys by which it knows the run, or both; give the run.

        Raises:
            NotFound: no run has that id.
            Forbidden: the token lacks the permission for what is said.
            WrongState: the run cannot become that, or is in the hands of the agent.
            Invalid: there is no such status, or there are too many keys.
        """
        wanted = _checked(identity, status, identification_keys)
        with self._database.transaction() as session:
            run = self._run_of(session, given_id)
            if identification_keys:
                _merge_keys(session, run, identification_keys)
            if wanted is not None and wanted != run.status:
                _take_word(session, run, wanted, message)
            session.refresh(run)
            return run

    def get_file(self, given_id: str, file_id: str) -> tuple[RunFile, Path]:
        """Give a file that the run sees, and where its bytes are.

        Raises:
            NotFound: no run has that id, or the run sees no such file.
        """
        with self._database.transaction() as session:
            return self._files.of_run(session, self._run_of(session, given_id), file_id)

    def _run_of(self, session: Session, given_id: str) -> Run:
        key = AgentRepository(session).find_webhook_key()
        matched = _ID.fullmatch(given_id)
        run_id = int(matched[1]) if matched else 0
        # Made and compared also for an id that cannot be right, so that every wrong one takes the same time.
        expected = webhook_id(run_id, key or "")
        if not hmac.compare_digest(expected.encode(), given_id.encode()) or key is None:
            raise _unknown()
        try:
            return RunRepository(session).get(run_id)
        except NotFound:
            raise _unknown() from None


def _unknown() -> NotFound:
    return NotFound("No run has this webhook id.", hint="A run finds its own in the variable MAO_WEBHOOK_ID.")


def _checked(identity: Identity, status: str | None, keys: dict[str, str] | None) -> RunStatus | None:
    if status is None and keys is None:
        raise Invalid("Nothing is said about the run.", fields={"status": ["Give status, identificationKeys or both."]})
    needed = {
        Permission.WEBHOOK_UPDATE_STATUS: status is not None,
        Permission.WEBHOOK_IDENTIFICATION_KEYS: keys is not None,
    }
    for permission, is_needed in needed.items():
        if is_needed and not identity.may(permission):
            raise Forbidden(
                f"The token '{identity.identifier}' may not say this.",
                hint=f"Use a token with the permission {permission}.",
            )
    return None if status is None else parse_status(status)


def _merge_keys(session: Session, run: Run, keys: dict[str, str]) -> None:
    # Locked first, because two calls at once would each forget the other's keys.
    session.refresh(run, with_for_update=True)
    merged = {**run.identification_keys, **keys}
    if len(merged) > KEYS_MOST:
        rule = f"Must be at most {KEYS_MOST}, with those that the run has already."
        raise Invalid("There are too many keys.", fields={"identificationKeys": [rule]})
    RunRepository(session).set(run.id, identification_keys=merged)


def _take_word(session: Session, run: Run, wanted: RunStatus, message: str | None) -> None:
    status = RunStatus(run.status)
    if status in HELD:
        raise WrongState(
            f"Run {run.id} is {status}, and its agent sees for itself what becomes of it.",
            hint="What the agent cannot find out becomes IN_DOUBT; say it again then.",
        )
    if status is not RunStatus.IN_DOUBT or wanted not in CAUSES:
        raise WrongState(f"Run {run.id} is {status} and cannot become {wanted} by a webhook.")
    said = message or f"The run's backend says {wanted}."
    end_doubt(RunRepository(session), run, wanted, actor=ACTOR, message=said)
