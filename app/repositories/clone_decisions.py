"""What somebody has decided about files that were kept out of the data: put onto the branch, or removed.

Both may be cut short and repeated. That files were promoted is known by a ref that names the commit, and the commit is
known again wherever it comes to lie.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.errors import NotFound, WrongState
from app.folders import remove_folder
from app.repositories.clone_push import conflict_branches
from app.repositories.clone_quarantine import PREFIX, before_message
from app.repositories.clone_rebase import changes, conflicting, identities, named, with_entries
from app.repositories.clone_remote import forward
from app.repositories.clone_repository import Repository

_PROMOTED = "refs/mao/promoted/"


def promote(repository: Repository, run_id: int, message: str) -> str:
    """Put what a run changed onto the branch and into the work tree, path by path, and give the commit.

    Raises:
        NotFound: nothing is kept of the run.
        WrongState: one of the files was changed since, or a local file is in the way; nothing is changed then.
    """
    done = promoted(repository, run_id) or _promoted_now(repository, run_id, message)
    discard(repository, run_id)
    return done


def promoted(repository: Repository, run_id: int) -> str:
    """Give the commit that made a run's files data, as it lies at the remote, set aside or here; or an empty text."""
    done = repository.commit_of(f"{_PROMOTED}{run_id}")
    if not done:
        return ""
    (wanted,) = identities(repository, "--no-walk=unsorted", done).values()
    aside = [f"refs/heads/{branch}" for branch in conflict_branches(repository)]
    places = [repository.commit_of(f"refs/remotes/origin/{repository.branch()}"), *aside, repository.head()]
    before = repository.commit_of(f"{done}^")
    limits = [f"^{before}"] if before else []
    for place in filter(None, places):
        for commit, identity in identities(repository, place, *limits).items():
            if identity == wanted:
                return commit
    return ""


def discard(repository: Repository, run_id: int) -> None:
    """Remove what is kept of a run; what is absent is no error."""
    repository.run("update-ref", "-d", f"{PREFIX}{run_id}")
    for path in repository.places.refused.glob(f"run-{run_id}-*"):
        remove_folder(path)


def _promoted_now(repository: Repository, run_id: int, message: str) -> str:
    kept, head = _kept(repository, run_id), repository.head()
    before = repository.tree_of(repository.commit_of(f"{kept}^"))
    ours = changes(repository, before, repository.tree_of(kept))
    theirs = changes(repository, before, repository.tree_of(head))
    if conflicts := conflicting(ours, theirs):
        raise _refusal(run_id, conflicts, _uncommitted(repository, run_id, kept))
    tree = with_entries(repository, repository.tree_of(head), ours)
    done = repository.commit_tree(tree, head, message)
    repository.run("update-ref", f"{_PROMOTED}{run_id}", done)
    if refusal := forward(repository, "merge", "--ff-only", "--no-overwrite-ignore", "--quiet", done):
        raise WrongState(f"The files of run {run_id} cannot be promoted: {refusal}")
    return done


def _kept(repository: Repository, run_id: int) -> str:
    commit = repository.commit_of(f"{PREFIX}{run_id}")
    if not commit:
        raise NotFound(f"The clone '{repository.places.name}' keeps nothing of run {run_id}.")
    return commit


def _uncommitted(repository: Repository, run_id: int, kept: str) -> set[str]:
    """Give the paths that differed from what was committed when the run began."""
    before = repository.commit_of(f"{kept}^")
    if not before or repository.run("log", "-1", "--format=%s", before).text != before_message(run_id):
        return set()
    committed = repository.tree_of(repository.commit_of(f"{before}^"))
    return set(changes(repository, committed, repository.tree_of(before)))


def _refusal(run_id: int, conflicts: Sequence[str], uncommitted: set[str]) -> WrongState:
    what = f"The files of run {run_id} cannot be promoted:"
    if not uncommitted.issuperset(conflicts):
        return WrongState(
            f"{what} {named([path for path in conflicts if path not in uncommitted])} changed since.",
            hint=f"Take what you need from branch quarantine/{run_id} by hand, then discard it.",
        )
    return WrongState(
        f"{what} the run changed {named(conflicts)}, of which the contents from before it are not committed.",
        hint="Commit them as they are in the data directory (git add, git commit), "
        f"then: maoctl dataset promote {run_id}",
    )
