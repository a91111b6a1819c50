"""What somebody has decided about files that were kept out of the data: put onto the branch, or removed.

Both may be cut short and repeated. That files were promoted is known by a ref that names the commit.
"""

from __future__ import annotations

from app.errors import NotFound, WrongState
from app.folders import remove_folder
from app.repositories.clone_quarantine import PREFIX
from app.repositories.clone_rebase import changes, conflicting, with_entries
from app.repositories.clone_remote import forward
from app.repositories.clone_repository import Repository

_PROMOTED = "refs/mao/promoted/"
_NAMED_PATHS = 3


def promote(repository: Repository, run_id: int, message: str) -> str:
    """Put what a run changed onto the branch and into the work tree, path by path, and give the commit.

    Raises:
        NotFound: nothing is kept of the run.
        WrongState: one of the files was changed since, or a local file is in the way; nothing is changed then.
    """
    done, head = repository.commit_of(f"{_PROMOTED}{run_id}"), repository.head()
    if not (done and repository.is_ancestor(done, head)):
        kept = _kept(repository, run_id)
        before = repository.tree_of(repository.commit_of(f"{kept}^"))
        ours = changes(repository, before, repository.tree_of(kept))
        theirs = changes(repository, before, repository.tree_of(head))
        if conflicts := conflicting(ours, theirs):
            raise _changed_since(run_id, conflicts)
        tree = with_entries(repository, repository.tree_of(head), ours)
        done = repository.commit_tree(tree, head, message)
        repository.run("update-ref", f"{_PROMOTED}{run_id}", done)
        if refusal := forward(repository, "merge", "--ff-only", "--no-overwrite-ignore", "--quiet", done):
            raise WrongState(f"The files of run {run_id} cannot be promoted: {refusal}")
    discard(repository, run_id)
    return done


def discard(repository: Repository, run_id: int) -> None:
    """Remove what is kept of a run; what is absent is no error."""
    repository.run("update-ref", "-d", f"{PREFIX}{run_id}")
    for path in repository.places.refused.glob(f"run-{run_id}-*"):
        remove_folder(path)


def _kept(repository: Repository, run_id: int) -> str:
    commit = repository.commit_of(f"{PREFIX}{run_id}")
    if not commit:
        raise NotFound(f"The clone '{repository.places.name}' keeps nothing of run {run_id}.")
    return commit


def _changed_since(run_id: int, conflicts: list[str]) -> WrongState:
    more = len(conflicts) - _NAMED_PATHS
    named = ", ".join(repr(path) for path in conflicts[:_NAMED_PATHS]) + (f" and {more} more" if more > 0 else "")
    return WrongState(
        f"The files of run {run_id} cannot be promoted: {named} changed since.",
        hint=f"Take what you need from branch quarantine/{run_id} by hand, then discard it.",
    )
