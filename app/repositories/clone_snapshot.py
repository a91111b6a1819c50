"""A clone of one commit: its work tree is exactly that commit, on no branch, and stays so.

Where a clone of the same remote is here already and has the commit, its objects are used: as hard links, so they are
neither fetched nor stored twice. Objects are never changed once they are written, so neither clone can harm the other.
"""

from __future__ import annotations

import re
from pathlib import Path

from app.errors import BackendFailed, Conflict, Invalid
from app.folders import remove_folder
from app.repositories.clone_remote import ClonePlan, fetch_new, patiently, place
from app.repositories.clone_repository import PINNED, Repository
from app.repositories.git_progress import Progress

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# A commit that no branch of the remote has any more is not "ours" for that, so it gets a name like the others.
_REMOTE_NAME = "refs/remotes/origin/mao-snapshot"


def checked_commit(commit: str) -> str:
    """Return ``commit`` when it is a whole id of git.

    Raises:
        Invalid: it is not.
    """
    if not _COMMIT.fullmatch(commit):
        raise Invalid("A commit is named by its whole id: 40 or 64 of 0-9 and a-f.")
    return commit


def require_commit(repository: Repository, commit: str) -> None:
    """Make sure that this is the clone of ``commit``.

    Raises:
        Conflict: it is one of another commit, or follows its remote.
    """
    if repository.pinned_commit() != commit:
        raise Conflict(
            f"The local clone '{repository.places.name}' is not one of commit {commit[:12]}.",
            hint="Choose another name, or remove the local clone.",
        )


def can_give(source: Repository, url: str, commit: str) -> bool:
    """Tell whether a clone that is here came from ``url`` and has the commit with all of its past."""
    git_dir = source.places.git_dir
    if not source.exists or source.url() != url or (git_dir / "shallow").exists() or source.is_partial():
        return False
    return source.commit_of(commit) == commit


def copy(repository: Repository, source: Repository, url: str, commit: str) -> None:
    """Make git's folder from that of a clone that is here; it is put in its place only when it is complete."""
    new, theirs = repository.places.new_git_dir, str(source.places.git_dir)
    remove_folder(new)
    options = (
        "--local",
        "--no-checkout",
        "--no-tags",
        "--template=",
        "--origin=origin",
        "--config=core.symlinks=false",
    )
    # Only for these two commands, whose source is a folder of ours.
    local = {"GIT_ALLOW_PROTOCOL": "file"}
    try:
        repository.outside("clone", "--quiet", *options, "--", theirs, str(new), environment=local)
        # What the clone calls the remote's branches are the source's own; the remote's are what the source says.
        known = "+refs/remotes/origin/*:refs/remotes/origin/*"
        quiet = ("--quiet", "--prune", "--no-tags", "--no-write-fetch-head")
        _inside(repository, "fetch", *quiet, theirs, known, environment=local)
        _inside(repository, "config", "remote.origin.url", url)
        _settle(repository, commit)
        place(repository)
    finally:
        remove_folder(new)


def download(repository: Repository, plan: ClonePlan, commit: str, progress: Progress | None, end: float) -> None:
    """Fetch the remote's history; it is put in its place only when it is complete and has the commit.

    Raises:
        RemoteDown: the remote did not answer in time.
        BackendFailed: it refused, or does not have the commit.
    """

    def once() -> None:
        try:
            fetch_new(repository, plan, progress, end)
            if not _has(repository, commit):
                _ask_for(repository, plan.url, commit)
            _settle(repository, commit)
            place(repository)
        finally:
            remove_folder(repository.places.new_git_dir)

    patiently(once, end)


def _ask_for(repository: Repository, url: str, commit: str) -> None:
    try:
        options = ("--quiet", "--no-tags", "--no-write-fetch-head")
        _inside(repository, "fetch", *options, "origin", f"{commit}:{_REMOTE_NAME}", remote=url, is_spoken=True)
    except BackendFailed as error:
        raise BackendFailed(
            f"The git repository {url} has no commit {commit[:12]}, or does not give it away.",
            cause="data_unavailable",
            hint="It may never have been pushed, or the remote's history was rewritten.",
        ) from error


def _settle(repository: Repository, commit: str) -> None:
    """Check out nothing but the commit, and leave no branch of ours."""
    _inside(repository, "update-ref", "--no-deref", "HEAD", commit)
    for branch in _inside(repository, "for-each-ref", "--format=%(refname)", "refs/heads/").splitlines():
        _inside(repository, "update-ref", "-d", branch)
    _inside(repository, "config", PINNED, commit)


def _has(repository: Repository, commit: str) -> bool:
    arguments = ("cat-file", "-e", f"{commit}^{{commit}}")
    git_dir = f"--git-dir={_new(repository)}"
    return repository.outside(git_dir, *arguments, accepted=(0, 1, 128)).status == 0


def _inside(repository: Repository, *arguments: str, **conditions: object) -> str:
    return repository.outside(f"--git-dir={_new(repository)}", *arguments, **conditions).text


def _new(repository: Repository) -> Path:
    return repository.places.new_git_dir / ".git"
