"""The agent's side of verifying a run: what it wrote, against what is there now and against a replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.repositories.clone_evidence import MOST_FILES, Change, Traces
from app.services.agent_context import AgentContext


def verify(context: AgentContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer what became of the files of a run; the body has the ``clone`` and the fields of ``Traces``.

    Raises:
        NotFound: the node has no such clone any more.
        BackendFailed: the clone does not have the run's data any more.
    """
    traces = Traces(**{name: body[name] for name in ("before", "after", "commit", "replayed", "is_kept_out")})
    evidence = context.workdirs.evidence(body["clone"], traces)
    replayed = evidence.replayed
    return {
        "written": evidence.written,
        "changed": [asdict(change) for change in evidence.changed],
        "damaged": evidence.damaged,
        "too_large": evidence.too_large,
        "replayed": None if replayed is None else [_difference(change) for change in replayed[:MOST_FILES]],
    }


def _difference(change: Change) -> dict[str, Any]:
    kind = "missing" if not change.new else "added" if not change.old else "changed"
    return {"path": change.path, "change": kind}
