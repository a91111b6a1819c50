"""A clone and the repository that it came from: the first download, and what came later."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from app.errors import BackendFailed, RemoteDown, WrongState
from app.folders import remove_folder
from app.models.dataset import History
from app.repositories.clone_repository import ACCOUNTED, FOLLOWED, Repository
from app.repositories.git_progress import Progress
from app.repositories.offenders import Offence, offenders

_log = logging.getLogger(__name__)

T = TypeVar("T")

BACKOFF_SECONDS = (1.0, 3.0)
_PROBE_SECONDS = 60.0
_BEFORE = "refs/mao/before-forward"


@dataclass(frozen=True)
class RefreshResult:
    """What a refresh led to: the commit checked out, whether the remote could not be asked, and what to tell people."""

    head: str
    is_stale: bool = False
    warning: str = ""


@dataclass(frozen=True)
class RemoteBranches:
    """The branches of a remote: name -> commit, and the one that it calls its default."""

    tips: dict[str, str]
    default: str

    def chosen(self, url: str, wanted: str) -> str:
        """Give the branch to clone; an empty text where the remote is empty and none is wanted.

        Raises:
            BackendFailed: the wanted branch does not exist, or none is wanted and the remote names no default.
        """
        if not self.tips:
            return wanted
        branch = wanted or self.default or (next(iter(self.tips)) if len(self.tips) == 1 else "")
        if branch in self.tips:
            return branch
        what = f"has no branch '{wanted}'" if wanted else "names no default branch"
        raise BackendFailed(
            f"The git repository {url} {what}.", cause="data_unavailable", hint="Check the branch of the entry."
        )


def remote_branches(repository: Repository, url: str, seconds: float) -> RemoteBranches:
    """Ask the remote for its branches: the quick way to learn that it is there, lets us in, and has something new."""
    limit = min(seconds, _PROBE_SECONDS)
    arguments = ("ls-remote", "--symref", "--", url, "HEAD", "refs/heads/*")
    output = repository.outside(*arguments, remote=url, seconds=limit, is_spoken=True)
    lines = output.text.splitlines()
    default, tips = "", {}
    for line in lines:
        value, _, ref = line.partition("\t")
        if ref == "HEAD" and value.startswith("ref: refs/heads/"):
            default = value.removeprefix("ref: refs/heads/")
        elif ref.startswith("refs/heads/"):
            tips[ref.removeprefix("refs/heads/")] = value
    return RemoteBranches(tips, default if default in tips else "")


@dataclass(frozen=True)
class ClonePlan:
    """What is to be cloned: an empty ``branch`` is the remote's default, ``history`` how much of the past is kept."""

    url: str
    branch: str = ""
    history: str = History.FULL


_HISTORY_OPTIONS: Mapping[str, tuple[str, ...]] = {
    History.FULL: (),
    History.BLOBLESS: ("--filter=blob:none",),
    History.SHALLOW: ("--depth=1",),
}


def download(repository: Repository, plan: ClonePlan, progress: Progress | None, timeout_seconds: float) -> None:
    """Fetch the history into git's folder; it is put in its place only when it is complete.

    A failure that may pass is tried again twice; an answer (not found, not allowed) is final.

    Raises:
        RemoteDown: the remote did not answer in time.
        BackendFailed: it refused.
    """
    end = time.monotonic() + timeout_seconds

    def once() -> None:
        remote = remote_branches(repository, plan.url, _left(end))
        chosen = remote.chosen(plan.url, plan.branch)
        try:
            fetch_new(repository, plan if remote.tips else replace(plan, branch=""), progress, end)
            place(repository)
        finally:
            remove_folder(repository.places.new_git_dir)
        if chosen:
            # A remote may be empty, or name no default branch; then git has chosen a name of its own.
            repository.run("symbolic-ref", "HEAD", f"refs/heads/{chosen}")

    patiently(once, end)


def place(repository: Repository) -> None:
    """Put git's folder, which is complete, into its place."""
    (repository.places.new_git_dir / ".git").rename(repository.places.git_dir)


def fetch_new(repository: Repository, plan: ClonePlan, progress: Progress | None, end: float) -> None:
    """Fetch the history to where what is not complete is kept; ``end`` is an instant of ``time.monotonic``."""
    new = repository.places.new_git_dir
    remove_folder(new)
    options = ("--no-checkout", "--no-local", "--no-tags", "--no-recurse-submodules", "--template=", "--origin=origin")
    # Written down in the clone as well, so that git used by hand sees the same files.
    kept = ("--config=core.symlinks=false", *_HISTORY_OPTIONS[plan.history])
    limits = ("--single-branch", f"--branch={plan.branch}") if plan.branch else ()
    repository.outside(
        *("clone", "--progress", *options, *kept, *limits, "--", plan.url, str(new)),
        remote=plan.url,
        is_spoken=True,
        seconds=_left(end),
        watched=(new,),
        progress=progress,
    )


def patiently(action: Callable[[], T], end: float) -> T:
    """Do it, and again twice where the remote does not answer; ``end`` is an instant of ``time.monotonic``."""
    for pause in BACKOFF_SECONDS:
        try:
            return action()
        except RemoteDown:
            if _left(end) <= 2 * pause:
                raise
            time.sleep(pause)
    return action()


def _left(end: float) -> float:
    # Never zero, which would stand for "no limit of its own".
    return max(0.1, end - time.monotonic())


def refresh(repository: Repository, url: str, branch: str, progress: Progress | None, seconds: float) -> RefreshResult:
    """Bring the clone up to date as far as that loses nothing.

    A remote that cannot be asked is a warning, because the clone is there and can be used. A clone of one commit is
    always as it should be.

    Raises:
        BackendFailed: the local clone cannot be worked with.
        WrongState: another branch than ``branch`` is checked out.
    """
    current = repository.branch()
    if not current and repository.pinned_commit():
        return RefreshResult(repository.head())
    if branch:
        require_branch(repository, branch)
    try:
        before = fetched(repository, url, branch, progress, seconds)
        warning = _forwarded(repository, before)
    except (RemoteDown, BackendFailed) as error:
        if isinstance(error, BackendFailed) and error.cause != "data_unavailable":
            raise
        # A move forward may need contents from the remote, and so can be cut short by its absence as well.
        recover(repository)
        return RefreshResult(repository.head(), is_stale=True, warning=f"The clone was not refreshed: {error.message}")
    try:
        repository.collect_garbage()
    except BackendFailed as error:
        _log.warning("the clone '%s' was not tidied: %s", repository.places.name, error.message)
    return RefreshResult(repository.head(), warning=warning)


def require_branch(repository: Repository, branch: str) -> str:
    """Give the branch that is checked out, which must be ``branch`` unless that is empty.

    Raises:
        WrongState: it is another one, or none.
    """
    current = repository.branch()
    if not current or (branch and current != branch):
        where = f"branch '{current}'" if current else "no branch"
        raise WrongState(
            f"The local clone of '{repository.places.name}' is on {where}, not on '{branch or 'one'}'.",
            hint="Remove the local clone, then clone again.",
        )
    return current


def fetched(repository: Repository, url: str, branch: str, progress: Progress | None, seconds: float) -> str:
    """Fetch when there is something new; give the commit that the remote's branch had when we last looked."""
    end = time.monotonic() + seconds
    remote = remote_branches(repository, url, seconds)
    if not repository.head() and not branch and remote.default:
        repository.run("symbolic-ref", "HEAD", f"refs/heads/{remote.default}")
    current = repository.branch()
    before = repository.commit_of(f"refs/remotes/origin/{current}") if current else ""
    if remote.tips.get(current, "") != before:
        if before and repository.is_ancestor(before, repository.head()):
            repository.run("update-ref", FOLLOWED, before)
        options = ("--no-tags", "--no-recurse-submodules", "--prune", "--no-write-fetch-head", "--progress")
        places = (repository.places.git_dir,)
        repository.run("fetch", *options, "origin", remote=url, seconds=_left(end), watched=places, progress=progress)
    return before


def _forwarded(repository: Repository, before: str) -> str:
    """Move the local branch to the remote's, when it only has to move forward; else say why not."""
    branch = repository.branch()
    if not branch:
        return "The clone is on no branch, so it is left as it is."
    theirs, ours = repository.commit_of(f"refs/remotes/origin/{branch}"), repository.head()
    followed = repository.commit_of(FOLLOWED) or before
    if not theirs:
        return f"The remote has no branch '{branch}' any more; the clone is left as it is." if followed else ""
    if not repository.is_ancestor(followed, theirs):
        return f"The history of branch '{branch}' was rewritten at the remote; the clone keeps the old one."
    if ours and repository.is_ancestor(theirs, ours):
        return ""
    if repository.is_ancestor(ours, theirs):
        return _left_as_it_is(forward(repository, "merge", "--ff-only", "--no-overwrite-ignore", "--quiet", theirs))
    if repository.commit_of(ACCOUNTED) == ours:
        # Our commits are at the remote, on top of others': the same files, and those of others.
        moved = ("checkout", "--no-overwrite-ignore", "--quiet", "-B", branch, theirs)
        return _left_as_it_is(forward(repository, *moved))
    return (
        f"Branch '{branch}' has commits here and others at the remote; the clone keeps its own and was not refreshed."
    )


def _left_as_it_is(refusal: str) -> str:
    return f"The remote has newer commits, but the clone was left as it is. {refusal}" if refusal else ""


def forward(repository: Repository, *command: str) -> str:
    """Move branch and work tree by a command that loses nothing; give why not where it did not."""
    # A forward move writes many files. Should it be cut short, `recover` puts back what is remembered here.
    state = repository.commit_tree(repository.tree_now(), repository.head(), "state before a fast-forward")
    repository.run("update-ref", _BEFORE, state)
    try:
        repository.run(*command, watched=(repository.places.tree, repository.places.git_dir))
    except WrongState as error:
        repository.run("update-ref", "-d", _BEFORE)
        return error.message
    repository.run("update-ref", "-d", _BEFORE)
    return ""


def recover(repository: Repository) -> None:
    """Clear up after a command that was cut short; a half done move forward is undone."""
    if not repository.places.git_dir.is_dir():
        return
    repository.clear_leftovers()
    state = repository.commit_of(_BEFORE)
    if not state or not repository.exists:
        return
    if repository.commit_of(f"{state}^") == repository.head():
        for found in list(offenders(repository.places.tree)):
            # There was none before the move, so the remote's newer files brought it; what it hides is remembered.
            if found.offence is Offence.TOO_DEEP:
                remove_folder(repository.places.tree / found.path)
        repository.restore(repository.tree_of(state))
    repository.run("update-ref", "-d", _BEFORE)
