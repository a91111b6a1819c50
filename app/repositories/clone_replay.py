"""A run that is repeated: in a work tree of its own, beside the clone whose history it shares.

The work tree is written from a commit or tree of the clone; what the tool leaves in it is kept below
``refs/mao/replays`` and never reaches a branch. All of it may be cut short and repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.errors import BackendFailed
from app.folders import remove_folder
from app.repositories.clone_repository import GIT_DIRS, Repository
from app.repositories.offenders import Offence, offenders

REPLAYS = ".replays"
MOST_KEPT = 100
_KEPT = "refs/mao/replays/"


def place(importdir: Path, run_id: int) -> Path:
    """Give the work tree of the replay."""
    return importdir / REPLAYS / str(run_id)


def has_object(repository: Repository, name: str) -> bool:
    """Tell whether the clone has the object."""
    return bool(name) and repository.run("cat-file", "-e", name, accepted=(0, 1, 128)).status == 0


def write(repository: Repository, run_id: int, tree: str) -> None:
    """Write the work tree afresh: exactly ``tree``, whatever is in its place."""
    folder = place(repository.places.importdir, run_id)
    for path in (folder, _index(repository, run_id)):
        remove_folder(path)
    # Another attempt of the same run begins anew: what the one before left is not its own.
    repository.run("update-ref", "-d", f"{_KEPT}{run_id}")
    _forget_old(repository)
    folder.mkdir(parents=True)
    arguments = ("read-tree", "--reset", "-u", tree)
    repository.run(*arguments, tree=folder, environment=_environment(repository, run_id), watched=(folder,))


def keep(repository: Repository, run_id: int) -> str:
    """Keep what is in the work tree now, remove the work tree, and give git's id of what was in it.

    Raises:
        BackendFailed: with cause ``data_unavailable``: the tool left what git cannot keep, or nothing is left at all.
    """
    kept = repository.commit_of(f"{_KEPT}{run_id}") or _stored(repository, run_id)
    # From here on the folder counts for nothing, so that its removal may be cut short.
    drop(repository, run_id)
    return repository.tree_of(kept)


def _stored(repository: Repository, run_id: int) -> str:
    folder = place(repository.places.importdir, run_id)
    if not folder.is_dir():
        raise BackendFailed(
            f"The work tree of replay {run_id} is gone.", cause="data_unavailable", hint="Replay the run once more."
        )
    _check(folder)
    environment = _environment(repository, run_id)
    repository.run("add", "--all", tree=folder, environment=environment)
    tree = repository.run("write-tree", tree=folder, environment=environment).text
    commit = repository.commit_tree(tree, "", f"replay by run {run_id}")
    repository.run("update-ref", f"{_KEPT}{run_id}", commit)
    return commit


def _forget_old(repository: Repository) -> None:
    """Let go of what the oldest replays left, lest a clone grow with every replay."""
    newest_first = ("--sort=-version:refname", "--format=%(refname)", _KEPT)
    for ref in repository.run("for-each-ref", *newest_first).text.splitlines()[MOST_KEPT:]:
        repository.run("update-ref", "-d", ref)


def drop(repository: Repository, run_id: int) -> None:
    """Remove the work tree; what is absent is no error."""
    for path in (place(repository.places.importdir, run_id), _index(repository, run_id)):
        remove_folder(path)


def _check(folder: Path) -> None:
    for found in offenders(folder):
        if found.offence is not Offence.SPECIAL_FILE:
            raise BackendFailed(f"The replay left {found.offence.value}: {found.path!r}.", cause="data_unavailable")


def _index(repository: Repository, run_id: int) -> Path:
    return repository.places.importdir / GIT_DIRS / f".replay-{run_id}.index"


def _environment(repository: Repository, run_id: int) -> Mapping[str, str]:
    return {"GIT_INDEX_FILE": str(_index(repository, run_id))}
