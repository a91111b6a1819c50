"""What a run has written that is not to be data (yet): kept on a branch of its own, out of the work tree.

Two steps, each of which may be cut short and repeated. A mark between them says that everything is stored, so that a
repetition never takes a half restored work tree for the result of the run.
"""

from __future__ import annotations

import logging

from app.errors import BackendFailed
from app.folders import remove_folder
from app.repositories.clone_repository import Repository
from app.repositories.offenders import offenders

_log = logging.getLogger(__name__)

PREFIX = "refs/heads/quarantine/"
_STORED = "refs/mao/stored/"


def quarantine(repository: Repository, baseline: str, run_id: int) -> str | None:
    """Store what differs from the tree ``baseline`` on ``quarantine/<run id>`` and put the work tree back to it.

    Gives the commit of the branch, or None where the run left nothing. Safe to repeat after a kill at any point.

    Raises:
        BackendFailed: the work tree cannot be put back.
    """
    store(repository, baseline, run_id)
    put_back(repository, baseline, run_id)
    return repository.commit_of(f"{PREFIX}{run_id}") or None


def store(repository: Repository, baseline: str, run_id: int) -> None:
    """Put the present state of the work tree on the run's branch, and mark it as stored."""
    if repository.commit_of(f"{_STORED}{run_id}"):
        return
    _set_aside(repository, run_id)
    state = repository.tree_now()
    if state != baseline:
        tip = _added(repository, state, _before(repository, baseline, run_id), run_id)
        repository.run("update-ref", f"{_STORED}{run_id}", tip)


def put_back(repository: Repository, baseline: str, run_id: int) -> None:
    """Make the work tree exactly ``baseline`` again, if it is not, and take the mark away."""
    if repository.commit_of(f"{_STORED}{run_id}"):
        repository.restore(baseline)
        _take_out_hidden(repository, baseline, run_id)
        repository.run("update-ref", "-d", f"{_STORED}{run_id}")


def _take_out_hidden(repository: Repository, baseline: str, run_id: int) -> None:
    """Store and remove what was hidden by a ``.gitignore`` that the run had changed and that is now put right."""
    state = repository.tree_now()
    if state == baseline:
        return
    tip = repository.commit_of(f"{PREFIX}{run_id}")
    joined = _joined(repository, tip, repository.changes(baseline, state, "AMT"))
    _added(repository, joined, repository.commit_of(f"{tip}^"), run_id)
    repository.restore(baseline)
    if repository.tree_now() != baseline:
        raise BackendFailed(
            f"The work tree of '{repository.places.name}' could not be put back to what it was before run {run_id}.",
            hint=f"The run's files are on branch quarantine/{run_id}. Check the rights of the files in the work tree.",
        )


def _joined(repository: Repository, commit: str, paths: list[str]) -> str:
    """Give the tree of ``commit`` with the work tree's ``paths`` added to it."""
    index, listing = repository.places.git_dir / "mao-joined", repository.places.git_dir / "mao-paths"
    environment = {"GIT_INDEX_FILE": str(index), "GIT_LITERAL_PATHSPECS": "1"}
    listing.write_bytes(b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths))
    try:
        repository.run("read-tree", commit, environment=environment)
        source = (f"--pathspec-from-file={listing}", "--pathspec-file-nul")
        repository.run("add", "--force", *source, environment=environment)
        return repository.run("write-tree", environment=environment).text
    finally:
        remove_folder(index)
        remove_folder(listing)


def before_message(run_id: int) -> str:
    """Give the message of the commit that holds what was there before a run and was not committed."""
    return f"before run {run_id}"


def _before(repository: Repository, baseline: str, run_id: int) -> str:
    """Give a commit that holds exactly what was there before the run, behind what is on its branch already."""
    tip = repository.commit_of(f"{PREFIX}{run_id}") or repository.head()
    is_as_before = tip and repository.tree_of(tip) == baseline
    return tip if is_as_before else repository.commit_tree(baseline, tip, before_message(run_id))


def _added(repository: Repository, tree: str, before: str, run_id: int) -> str:
    """Put ``tree`` on the run's branch behind the commit ``before``, unless it is there, and give its commit."""
    tip = repository.commit_of(f"{PREFIX}{run_id}")
    if tip and repository.tree_of(tip) == tree:
        return tip
    commit = repository.commit_tree(tree, before, f"quarantine run {run_id}")
    repository.run("update-ref", f"{PREFIX}{run_id}", commit)
    return commit


def _set_aside(repository: Repository, run_id: int) -> None:
    """Move away what git cannot keep. Before the run there was nothing of the kind, or it would not have started."""
    folder = repository.places.refused
    for found in list(offenders(repository.places.tree)):
        folder.mkdir(exist_ok=True)
        number = sum(1 for _ in folder.iterdir()) + 1
        (repository.places.tree / found.path).rename(folder / f"run-{run_id}-{number}")
        _log.warning("run %d left %s in '%s'; set aside", run_id, found.offence.value, repository.places.name)


def branches(repository: Repository) -> list[str]:
    """List the branches that hold the files of failed runs."""
    return repository.run("for-each-ref", "--format=%(refname:lstrip=2)", PREFIX).text.splitlines()
