"""Verifying a run: whether its data are as it wrote them, and whether a replay makes the same again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import NotFound, WrongState
from app.models.run import FINAL, QuarantineState, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.database import Database
from app.repositories.registry import Registry
from app.repositories.run_commits import Maker, makers
from app.repositories.runs import RunRepository
from app.services.questions import QuestionService
from app.services.replay_plans import plan_of

_KEPT_OUT = frozenset(QuarantineState) - {QuarantineState.PROMOTED}


class VerificationService:
    """Compares what a run wrote with what is there now, and with what its newest replay wrote."""

    def __init__(self, database: Database, registry: Registry, questions: QuestionService) -> None:
        self._database = database
        self._registry = registry
        self._questions = questions

    def verify(self, identity: Identity, run_id: int, replay_id: int | None = None) -> dict[str, Any]:
        """Give the verification of a run; of a replay, that of the run which it repeats.

        ``is_identical`` is False where anything differs, True where nothing does, and None where there was nothing to
        compare. ``summary`` says it in one sentence.

        Raises:
            NotFound: there is no such run in reach, or no such replay of it, or its clone is gone.
            WrongState: it is not over, or it kept no data.
            StillWorking: the agent is at work on it.
        """
        run, replay = self._found(identity, run_id, replay_id)
        asked = {
            "clone": run.clone,
            "before": run.baseline_tree or "",
            "after": _written_tree(run),
            "commit": run.output_commit or "",
            "replayed": (replay.output_tree or "") if replay else "",
            "is_kept_out": run.quarantine_state in _KEPT_OUT,
            "key": list(self._key_of(run)),
        }
        found = self._questions.ask("verify", asked, is_fleeting=True)
        found = {**found, "changed": self._with_makers(run.clone or "", found["changed"])}
        return {"run_id": run.id, "replay_id": replay.id if replay else None, **found, **_verdict(run, replay, found)}

    def _with_makers(self, clone: str, changed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Tell of each change whether a run of this node is on record with its commit; else it says that by itself."""
        with self._database.transaction() as session:
            known = makers(session, clone, {change["commit"] for change in changed if change["commit"]})
        return [{**change, **_made_by(known.get(change["commit"]))} for change in changed]

    def _key_of(self, run: Run) -> Sequence[str]:
        """Give the columns by which rows of the run's data are told apart; none are known where no entry names them."""
        try:
            return self._registry.get_dataset(run.clone or "")[0].key
        except NotFound:
            return ()

    def _found(self, identity: Identity, run_id: int, replay_id: int | None) -> tuple[Run, Run | None]:
        owner = identity.reach(Permission.JOB_RUN_READ_ANY)
        with self._database.transaction() as session:
            runs = RunRepository(session)
            run = runs.get(run_id, owner=owner)
            plan = plan_of(run)
            if plan is not None:
                run, replay_id = runs.get(plan.run_id, owner=owner), run.id
            _check(run)
            replay = runs.replay_of(run.id, replay_id)
        return run, replay


def _check(run: Run) -> None:
    if RunStatus(run.status) not in FINAL:
        raise WrongState(f"Run {run.id} is {run.status}.", hint=f"Wait for it: maoctl run wait {run.id}")
    if not run.clone or not _written_tree(run):
        raise WrongState(
            f"Nothing of what run {run.id} wrote is on record.",
            hint="Only runs that succeeded and keep data can be verified.",
        )


def _written_tree(run: Run) -> str:
    # Runs of older versions have their commit alone, whose tree git finds by itself.
    return run.output_tree or (f"{run.output_commit}^{{tree}}" if run.output_commit else "")


def _made_by(maker: Maker | None) -> dict[str, Any]:
    return {"run": str(maker.run_id), "is_recorded": True} if maker else {"is_recorded": False}


def _verdict(run: Run, replay: Run | None, found: dict[str, Any]) -> dict[str, Any]:
    wrong = [*found["changed"], *found["damaged"], *(found["replayed"] or [])]
    is_compared = bool(found["written"]) or found["replayed"] is not None
    return {"is_identical": not wrong if is_compared else None, "summary": _summary(run, replay, found)}


def _summary(run: Run, replay: Run | None, found: dict[str, Any]) -> str:
    parts = []
    if found["damaged"]:
        parts.append(f"git has lost the bytes of {_named(found['damaged'])}")
    if found["changed"]:
        parts.append(f"{_named([change['path'] for change in found['changed']])} changed since")
    if found["replayed"]:
        other = _named([change["path"] for change in found["replayed"]])
        parts.append(f"replay {replay.id if replay else ''} made {other} differently")
        if (run.conditions or {}).get("hasIgnoredFiles"):
            parts.append("the tool found files that git ignores, which a replay does not get")
    if parts:
        return f"Run {run.id}: {'; '.join(parts)}."
    if not found["written"]:
        return f"Run {run.id} wrote no files" + (", and neither did its replay." if replay else ".")
    same = f", and replay {replay.id} made the same again" if replay else ""
    return f"All {found['written']} file(s) of run {run.id} are as it wrote them{same}."


def _named(paths: list[str]) -> str:
    shown = ", ".join(paths[:3])
    return shown if len(paths) <= 3 else f"{shown} and {len(paths) - 3} more"
