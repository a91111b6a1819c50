"""Our commits on top of others': path by path, in git's objects only. The work tree is not touched.

Data are never merged line by line, because half of two measurements is no measurement. A file that both sides changed
to different contents is a conflict; so is a file where the other side has a folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.folders import remove_folder
from app.repositories.clone_repository import Repository

_ABSENT = "000000"
_NAMED_PATHS = 3
_KEPT_HEADERS = (b"author ", b"committer ", b"encoding ")
_IDENTITY = "--format=%H%x1f%an%x1f%ae%x1f%at%x1f%cn%x1f%ce%x1f%ct%x1f%B"


@dataclass(frozen=True)
class Entry:
    """A file as a tree has it: git's mode and the id of its contents; a mode of zeros where there is none."""

    mode: str
    blob: str

    @property
    def is_there(self) -> bool:
        """Whether the tree has the file."""
        return self.mode != _ABSENT


@dataclass(frozen=True)
class Rebased:
    """Where our commits came to lie: each of ours with the one that it became, and the last of them.

    Where ``conflicts`` names paths, nothing came to lie anywhere.
    """

    tip: str
    commits: Mapping[str, str] = field(default_factory=dict)
    conflicts: Sequence[str] = ()


def rebased(repository: Repository, commits: Sequence[str], tip: str, *, is_forced: bool = False) -> Rebased:
    """Put ``commits``, oldest first, on top of ``tip``, which may be empty; messages, authors and dates stay.

    The result depends on the arguments alone, so a repetition gives the same commits. One whose files are all there
    already is kept without any: it is the record of the run that made it. With ``is_forced`` our files take the place
    of whatever is in their way.
    """
    made: dict[str, str] = {}
    for commit in commits:
        parent = repository.commit_of(f"{commit}^")
        if parent == tip:
            made[commit] = tip = commit
            continue
        before, onto = repository.tree_of(parent), repository.tree_of(tip)
        ours, theirs = changes(repository, before, repository.tree_of(commit)), changes(repository, before, onto)
        if not is_forced and (conflicts := conflicting(ours, theirs)):
            return Rebased(tip, conflicts=conflicts)
        new = {path: entry for path, entry in ours.items() if theirs.get(path) != entry}
        made[commit] = tip = recommitted(repository, commit, with_entries(repository, onto, new), tip)
    return Rebased(tip, made)


def changes(repository: Repository, before: str, after: str) -> dict[str, Entry]:
    """Give, for each path in which two trees differ, what the second one has there."""
    items = repository.run("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", before, after).items
    found = {}
    for facts, path in zip(items[::2], items[1::2], strict=True):
        _, mode, _, blob, _ = facts.split(" ")
        found[path] = Entry(mode, blob)
    return found


def conflicting(ours: Mapping[str, Entry], theirs: Mapping[str, Entry]) -> list[str]:
    """List the paths of ours that cannot go beside theirs; both are changes to the same tree."""
    their_folders = {folder for path, entry in theirs.items() if entry.is_there for folder in _folders(path)}
    return sorted(
        path
        for path, entry in ours.items()
        if theirs.get(path, entry) != entry
        or (entry.is_there and (path in their_folders or any(_is_file(theirs, folder) for folder in _folders(path))))
    )


def named(paths: Sequence[str]) -> str:
    """Name paths in a sentence, of many the first few."""
    more = len(paths) - _NAMED_PATHS
    return ", ".join(repr(path) for path in paths[:_NAMED_PATHS]) + (f" and {more} more" if more > 0 else "")


def _is_file(side: Mapping[str, Entry], path: str) -> bool:
    return path in side and side[path].is_there


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def with_entries(repository: Repository, tree: str, entries: Mapping[str, Entry]) -> str:
    """Give ``tree`` with these files put in or, where they are absent, taken out."""
    if not entries:
        return tree
    index = repository.places.git_dir / "mao-rebase"
    environment = {"GIT_INDEX_FILE": str(index)}
    # What goes goes first, so that a folder can take the place of a file, and the other way round.
    ordered = sorted(entries.items(), key=lambda item: item[1].is_there)
    lines = (f"{entry.mode} {entry.blob}\t".encode() + os.fsencode(path) + b"\0" for path, entry in ordered)
    try:
        repository.run("read-tree", tree, environment=environment)
        repository.run("update-index", "-z", "--index-info", environment=environment, given=b"".join(lines))
        return repository.run("write-tree", environment=environment).text
    finally:
        remove_folder(index)


def recommitted(repository: Repository, commit: str, tree: str, parent: str) -> str:
    """Make a copy of ``commit`` with another tree and parent, and give it; a signature would be wrong and goes."""
    head, _, message = repository.run("cat-file", "commit", commit).data.partition(b"\n\n")
    parents = [f"parent {parent}".encode()] if parent else []
    kept = [line for line in head.split(b"\n") if line.startswith(_KEPT_HEADERS)]
    text = b"\n".join([f"tree {tree}".encode(), *parents, *kept]) + b"\n\n" + message
    return repository.run("hash-object", "-t", "commit", "-w", "--stdin", given=text).text


def identities(repository: Repository, *revisions: str, given: Sequence[str] = ()) -> dict[str, str]:
    """Give, for each commit, what stays of it wherever it comes to lie: message, author, committer and dates.

    The oldest comes first. Revisions that may be many are ``given``.
    """
    names = "".join(f"{name}\n" for name in given).encode()
    options = ("-z", "--no-show-signature", "--reverse", _IDENTITY, *(["--stdin"] if names else []))
    commits = repository.run("log", *options, *revisions, "--", given=names).items
    return {commit: identity for commit, _, identity in (item.partition("\x1f") for item in commits)}
