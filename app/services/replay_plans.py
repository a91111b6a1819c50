"""What a run is bound to that repeats another: it stands among the run's parameters."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from app.models.run import Run

_KEY = "replay"


@dataclass(frozen=True)
class ReplayPlan:
    """The run that is repeated, and what the tool is told of it: its number, its node and who submitted it.

    ``clone`` is the clone whose history has the data, empty for a tool that keeps none; ``tree`` is git's id of the
    data that the first run began with, ``commit`` the commit that it began at.
    """

    run_id: int
    node: str
    submitter: str
    clone: str
    tree: str
    commit: str

    @classmethod
    def of(cls, first: Run) -> ReplayPlan:
        """Give the plan by which ``first`` is repeated."""
        return cls(
            run_id=first.id,
            node=first.node or "",
            submitter=first.submitter,
            clone=first.clone or "",
            tree=first.baseline_tree or "",
            commit=first.input_commit or "",
        )

    def to_parameter(self) -> dict[str, Any]:
        """Give what is added to the parameters of a run that is bound to this."""
        return {_KEY: asdict(self)}


def plan_of(run: Run) -> ReplayPlan | None:
    """Give what a run is bound to that repeats another, or None for every other run."""
    stored = run.parameters.get(_KEY)
    return ReplayPlan(**stored) if stored else None


def pinned_image(run: Run) -> str:
    """Give the reference that names exactly the image of a run, wherever its tag points now."""
    image = str((run.tool_entry or {}).get("image") or "")
    digest, local = run.image_digest or "", (run.conditions or {}).get("imageId")
    if not image or not digest:
        return image
    return digest if digest == local else f"{_repository_of(image)}@{digest}"


def _repository_of(image: str) -> str:
    name = image.partition("@")[0]
    path, colon, tag = name.rpartition(":")
    return path if colon and "/" not in tag else name
