"""What a clone shows of the files that a run wrote: whether they are whole, and who changed them since.

The names that git gives to trees and files are digests of their bytes. So what a run wrote is known for good once the
name of its tree is, and whatever differs from it shows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from app.errors import BackendFailed
from app.repositories.clone_left_behind import fetch_left_behind
from app.repositories.clone_replay import has_object
from app.repositories.clone_repository import Repository

MOST_FILES = 200
MOST_BYTES = 64 * 2**20
_SHA1_DIGITS = 40
_LAST = "--format=%H%x00%(trailers:key=Mao-Run,valueonly,separator=%x2C)%x00%(trailers:key=Mao-Node,valueonly)"


@dataclass(frozen=True)
class Traces:
    """What the record knows of a run's data: git's ids of them before and after it, its commit, and a replay's tree.

    ``commit`` is empty where the run published nothing, ``replayed`` where nothing was replayed. What was kept out of
    the data (``is_kept_out``) cannot have changed in them.
    """

    before: str
    after: str
    commit: str
    replayed: str = ""
    is_kept_out: bool = False


@dataclass(frozen=True)
class Change:
    """A file that differs between two trees. A blob is empty where the file is not there."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Tampering:
    """A file that is not in the data any more as the run wrote it; ``change`` tells its contents then and now.

    ``commit`` is the newest one that changed it, with the ``run`` and the ``node`` that its trailers name; it is empty
    where the file was changed in the data directory alone (``is_uncommitted``).
    """

    change: Change
    is_uncommitted: bool
    commit: str
    run: str
    node: str


@dataclass(frozen=True)
class Evidence:
    """What became of the files that a run wrote.

    ``written`` counts them, of which the first 200 were looked at. ``damaged`` are those whose bytes git has lost, and
    ``too_large`` those whose bytes were not read. ``replayed`` is what a replay made differently, None without one.
    """

    written: int
    changed: list[Tampering]
    damaged: list[str]
    too_large: list[str]
    replayed: list[Change] | None


def gather(repository: Repository, traces: Traces) -> Evidence:
    """Look for the files of a run.

    Raises:
        BackendFailed: with cause ``data_unavailable``: the clone does not have what the run wrote any more.
        RemoteDown: files were left at the remote, which does not answer.
    """
    if not has_object(repository, traces.after):
        raise BackendFailed(
            f"The local clone of '{repository.places.name}' does not have what the run wrote any more.",
            cause="data_unavailable",
            hint="Only committed data are kept for ever, and a clone that was made anew has only what was pushed.",
        )
    written = _written(repository, traces)
    looked_at = written[:MOST_FILES]
    fetch_left_behind(repository, [change.new for change in looked_at])
    wholeness = {change.path: _is_whole(repository, change.new) for change in looked_at}
    return Evidence(
        written=len(written),
        changed=[] if traces.is_kept_out else _changed(repository, traces, set(wholeness)),
        damaged=[path for path, is_whole in wholeness.items() if is_whole is False],
        too_large=[path for path, is_whole in wholeness.items() if is_whole is None],
        replayed=_replayed(repository, traces),
    )


def _replayed(repository: Repository, traces: Traces) -> list[Change] | None:
    if not traces.replayed:
        return None
    if traces.replayed == traces.after:
        return []
    if not has_object(repository, traces.replayed):
        raise BackendFailed(
            "What the replay made has been removed, since newer ones were made.",
            cause="data_unavailable",
            hint="Replay the run once more.",
        )
    return differences(repository, traces.after, traces.replayed)


def differences(repository: Repository, before: str, after: str) -> list[Change]:
    """Give the files that differ between two trees or commits."""
    listed = repository.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", before, after).items
    return [_change(raw, path) for raw, path in zip(listed[::2], listed[1::2], strict=True)]


def _written(repository: Repository, traces: Traces) -> list[Change]:
    """Give the files that the run added or changed; where the data before it are gone, all that were there after."""
    before = traces.before if has_object(repository, traces.before) else repository.tree_of("")
    return [change for change in differences(repository, before, traces.after) if change.new]


def _changed(repository: Repository, traces: Traces, written: set[str]) -> list[Tampering]:
    now = repository.tree_now()
    open_paths = {change.path for change in differences(repository, repository.tree_of(repository.head()), now)}
    changed = (change for change in differences(repository, traces.after, now) if change.path in written)
    return [_tampering(repository, traces, change, is_uncommitted=change.path in open_paths) for change in changed]


def _tampering(repository: Repository, traces: Traces, change: Change, *, is_uncommitted: bool) -> Tampering:
    since = f"{traces.commit}.." if traces.commit and repository.commit_of(traces.commit) else ""
    arguments = ("log", "-1", "--no-show-signature", _LAST, f"{since}HEAD", "--", f":(literal){change.path}")
    found = repository.run(*arguments).text if repository.head() and not is_uncommitted else ""
    commit, run, node = found.split("\0") if found else ("", "", "")
    return Tampering(change, is_uncommitted, commit, run, node.strip())


def _is_whole(repository: Repository, blob: str) -> bool | None:
    """Tell whether the bytes on the disk are what the blob's name says; None where they are too many to be read."""
    size = repository.run("cat-file", "-s", blob, accepted=(0, 1, 128))
    if size.status == 0 and int(size.text) > MOST_BYTES:
        return None
    read = repository.run("cat-file", "blob", blob, accepted=(0, 1, 128))
    digest = hashlib.sha1(usedforsecurity=False) if len(blob) == _SHA1_DIGITS else hashlib.sha256()
    digest.update(b"blob %d\0" % len(read.data))
    digest.update(read.data)
    return read.status == 0 and digest.hexdigest() == blob


def _change(raw: str, path: str) -> Change:
    _, _, old, new, _ = raw.split(" ")
    return Change(path, old if old.strip("0") else "", new if new.strip("0") else "")
