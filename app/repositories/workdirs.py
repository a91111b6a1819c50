"""The local clones: made, refreshed, read, committed to, cleaned and removed, one at a time each."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.errors import BackendFailed, Conflict, Locked, MaoError, WrongState
from app.folders import disk_bytes, remove_folder
from app.repositories import (
    clone_evidence,
    clone_leftovers,
    clone_quarantine,
    clone_remote,
    clone_replay,
    clone_snapshot,
)
from app.repositories.clone_history import History
from app.repositories.clone_left_behind import fetch_left_behind
from app.repositories.clone_publishing import PublishingClones, message_of
from app.repositories.clone_remote import ClonePlan, RefreshResult
from app.repositories.clone_repository import GIT_DIRS, Repository
from app.repositories.git_progress import Progress

__all__ = ["CloneFacts", "RefreshResult", "Workdirs"]

_RUN_TRAILER = "Mao-Run"


@dataclass(frozen=True)
class CloneFacts:
    """How a clone stands. ``head`` and ``branch`` are empty where there is none; ``size_bytes`` is the room on disk."""

    head: str
    branch: str
    url: str
    has_uncommitted: bool
    unpushed_commits: int
    size_bytes: int


@dataclass(frozen=True)
class Written:
    """What is in a work tree: git's id of all of it, and the ``paths`` of what is new, relative to it.

    A name that is not UTF-8 keeps its bytes as surrogates, as everywhere in ``os``.
    """

    tree: str
    paths: list[str]


class Workdirs(PublishingClones):
    """The clones in ``importdir``. Nothing is opened or made before the first call.

    Every method that works in a clone raises ``NotFound`` where there is none, ``Locked`` when another process keeps it
    for too long, and ``BackendFailed`` when git or the disk refuses.
    """

    def clone(
        self,
        name: str,
        url: str,
        branch: str = "",
        progress: Progress | None = None,
        history: str = ClonePlan.history,
    ) -> str:
        """Make the clone, or refresh it when it is there, and give its head; empty for a repository without commits.

        ``history`` is how much of the remote's past a new clone gets; one that is there keeps what it has.

        Raises:
            Invalid: the address or the branch is not allowed.
            Conflict: the folder is taken, or holds a clone of another address.
            RemoteDown: the git server does not answer, or not in time.
            BackendFailed: it refuses; the cause is ``data_unavailable``.
        """
        self._check(url, branch)
        with self._held(name) as repository:
            if repository.places.git_dir.is_dir():
                repository.require_origin(url)
                if not repository.exists:
                    repository.write_tree_folder(progress)
                head = clone_remote.refresh(repository, url, branch, progress, self._settings.timeout_seconds).head
            else:
                plan, seconds = ClonePlan(url, branch, history), self._settings.timeout_seconds
                self._make(repository, progress, lambda: clone_remote.download(repository, plan, progress, seconds))
                head = repository.head()
        if progress:
            progress(100, "ready")
        return head

    def clone_at(self, name: str, url: str, commit: str, branch: str = "", progress: Progress | None = None) -> str:
        """Make a clone whose work tree is exactly ``commit``, on no branch, and give its head; it is never refreshed.

        The objects are taken from a clone of the same address that is here and has the commit, else from the remote:
        of its ``branch``, or of all where none is named.
        Safe to repeat after a kill at any point.

        Raises:
            Invalid: the address or the commit is not one.
            Conflict: the folder is taken, or holds another clone.
            RemoteDown: the git server does not answer, or not in time.
            BackendFailed: it refuses, or does not have the commit; the cause is ``data_unavailable``.
        """
        self._check(url, branch)
        clone_snapshot.checked_commit(commit)
        with self._held(name) as repository:
            if repository.places.git_dir.is_dir():
                repository.require_origin(url)
                clone_snapshot.require_commit(repository, commit)
                if not repository.exists:
                    repository.write_tree_folder(progress)
            else:
                self._make(
                    repository, progress, lambda: self._take(repository, ClonePlan(url, branch), commit, progress)
                )
            head = repository.head()
        if progress:
            progress(100, "ready")
        return head

    def _take(self, repository: Repository, plan: ClonePlan, commit: str, progress: Progress | None) -> None:
        end = time.monotonic() + self._settings.timeout_seconds
        hidden = self._importdir / GIT_DIRS
        for name in sorted(path.stem for path in hidden.glob("[a-z0-9]*.git")):
            # Whoever makes a clone of that name has its lock, and may wait for this one.
            if name == repository.places.name or not self.exists(name):
                continue
            with suppress(Locked), self._held(name) as source:
                if clone_snapshot.can_give(source, plan.url, commit):
                    clone_snapshot.copy(repository, source, plan.url, commit)
                    return
        clone_snapshot.download(repository, plan, commit, progress, end)

    def _make(self, repository: Repository, progress: Progress | None, download: Callable[[], None]) -> None:
        places = repository.places
        if places.tree.exists() or places.tree.is_symlink():
            raise Conflict(
                f"The folder '{places.name}' exists and is not a clone of ours.", hint="Move it away, then clone again."
            )
        download()
        try:
            repository.write_tree_folder(progress)
        except MaoError:
            remove_folder(places.new_tree)
            remove_folder(places.git_dir)
            raise

    def refresh(self, name: str, url: str, branch: str = "") -> RefreshResult:
        """Fetch, and move forward when nothing local is lost by it; uncommitted files and local commits always stay.

        A remote that cannot be asked is no error here: the result says ``is_stale`` and why.

        Raises:
            Conflict: the clone came from another address or is on another branch.
        """
        self._check(url, branch)
        with self._held(name) as repository:
            repository.require().require_origin(url)
            return clone_remote.refresh(repository, url, branch, None, self._settings.timeout_seconds)

    def history(self, name: str) -> History:
        """Give what reads the clone's history, beside whatever else works in it: commits and contents never change."""
        return History(self._git, self._places(name).git_dir)

    def fetch_contents(self, name: str, blobs: Collection[str]) -> None:
        """Fetch those of these contents that the clone left at its remote; waits for nobody where there are none.

        Raises:
            RemoteDown: the remote does not answer, or not in time.
            BackendFailed: it refuses, or the clone would become too large.
        """
        if self.history(name).left_behind(blobs):
            with self._held(name) as repository:
                fetch_left_behind(repository.require(), blobs)

    def head(self, name: str) -> str:
        """Give the commit that is checked out, or an empty text where nothing was ever committed."""
        with self._held(name) as repository:
            return repository.require().head()

    def baseline(self, name: str) -> str:
        """Give the id of a git tree that is exactly the work tree now (ignored files aside).

        Raises:
            BackendFailed: with cause ``data_unavailable``: there is a repository, or a link out, in the work tree.
        """
        with self._held(name) as repository:
            return repository.require().tree_now()

    def has_ignored(self, name: str) -> bool:
        """Tell whether the work tree holds files that git ignores, which no tree and no commit has."""
        with self._held(name) as repository:
            return repository.require().has_ignored()

    def tree_of(self, name: str, commit: str) -> str:
        """Give git's id of what a commit of the clone holds; that of no files at all for an empty text."""
        with self._held(name) as repository:
            return repository.require().tree_of(commit)

    def changed_since(self, name: str, baseline: str) -> Written:
        """Give the work tree as it is now, and the files that were added or modified since ``baseline``."""
        with self._held(name) as repository:
            tree = repository.require().tree_now()
            return Written(tree, repository.changes(baseline, tree, "AMT"))

    def commit(
        self, name: str, message: str, trailers: Mapping[str, str], run_id: int, input_commit: str | None = None
    ) -> str | None:
        """Commit everything in the work tree for a run and give the commit; None when there is nothing to commit.

        The run's number is always among the trailers, and a head that carries it is given as it is: so this may be
        repeated after a crash. A head that was there before the run, as ``input_commit``, is never the run's own: it
        may come from another node that numbers its runs alike.
        """
        with self._held(name) as repository:
            head = repository.require().head()
            if head and head != input_commit and repository.trailer(head, _RUN_TRAILER) == str(run_id):
                return head
            repository.check_tree()
            repository.run("add", "--all")
            if repository.run("write-tree").text == repository.tree_of(head):
                return None
            text = message_of(message, {_RUN_TRAILER: str(run_id), **trailers})
            repository.run("commit", "--quiet", "--no-verify", "--cleanup=verbatim", f"--message={text}")
            return repository.head()

    def write_replay(self, name: str, run_id: int, tree: str) -> None:
        """Write the work tree in which a run is repeated: exactly the ``tree`` (or commit) of the clone ``name``.

        Raises:
            BackendFailed: with cause ``data_unavailable``: the clone does not have it.
        """
        with self._held(name) as repository:
            if not clone_replay.has_object(repository.require(), tree):
                raise BackendFailed(
                    f"The local clone of '{name}' does not have the data {tree[:12]} that the run began with.",
                    cause="data_unavailable",
                    hint="Files that were never committed are kept for about two weeks; committed ones for ever.",
                )
            clone_replay.write(repository, run_id, tree)

    def keep_replay(self, name: str, run_id: int) -> str:
        """Keep what a repeated run left, remove its work tree, and give git's id of what was in it. May be repeated."""
        with self._held(name) as repository:
            return clone_replay.keep(repository.require(), run_id)

    def drop_replay(self, name: str, run_id: int) -> None:
        """Remove the work tree of a repeated run; what is absent is no error."""
        with self._held(name) as repository:
            clone_replay.drop(repository, run_id)

    def evidence(self, name: str, traces: clone_evidence.Traces) -> clone_evidence.Evidence:
        """Say what became of the files that a run wrote.

        Raises:
            BackendFailed: with cause ``data_unavailable``: the clone does not have them any more.
        """
        with self._held(name) as repository:
            return clone_evidence.gather(repository.require(), traces)

    def replay_path(self, run_id: int) -> Path:
        """Give the work tree of a repeated run, whether it exists or not."""
        return clone_replay.place(self._importdir, run_id)

    def state(self, name: str) -> CloneFacts:
        """Say how the clone stands."""
        with self._held(name) as repository:
            places = repository.require().places
            return CloneFacts(
                head=repository.head(),
                branch=repository.branch(),
                url=repository.url(),
                has_uncommitted=bool(repository.uncommitted()),
                unpushed_commits=repository.unpushed(),
                size_bytes=disk_bytes(places.tree) + disk_bytes(places.git_dir),
            )

    def remove(self, name: str, is_forced: bool = False) -> None:
        """Remove the clone with all that belongs to it; what is absent is no error.

        Raises:
            WrongState: naming what would be lost, unless ``is_forced``.
        """
        with self._held(name) as repository:
            places = repository.places
            if not is_forced and repository.exists:
                _refuse_loss(repository)
            # The work tree first: without it there is no clone, and clone() or remove() can go on from there.
            for path, gone in zip((places.tree, places.git_dir, places.refused), places.gone, strict=True):
                remove_folder(gone)
                if path.exists():
                    path.rename(gone)
            for gone in places.gone:
                remove_folder(gone)

    def abandoned(self) -> dict[str, int]:
        """Give the clones of which something half made or half removed lies about, with its bytes; none that is held.

        The next that works in such a clone clears it up, but nobody may ever do so.
        """
        return clone_leftovers.abandoned(self._importdir)

    def tidy(self, name: str) -> None:
        """Clear up what was left half made or half removed of a clone."""
        with self._held(name) as repository:
            clone_leftovers.remove(repository.places)


def _refuse_loss(repository: Repository) -> None:
    uncommitted, unpushed = repository.uncommitted(), repository.unpushed()
    kept = clone_quarantine.branches(repository)
    losses = []
    if uncommitted:
        losses.append(f"{uncommitted} uncommitted file(s)")
    if unpushed:
        losses.append(f"{unpushed} commit(s) that the remote does not have")
    if kept:
        losses.append(f"the files of failed runs on {', '.join(kept[:5])}{' ...' if len(kept) > 5 else ''}")
    if losses:
        raise WrongState(
            f"Removing the clone of '{repository.places.name}' would lose {', '.join(losses)}.",
            hint="Push, promote or copy them first, or remove with force.",
        )
