"""The files of a repository without its history: fetched, checked and written into a folder, for tools to be run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import BackendFailed, Invalid
from app.folders import remove_folder
from app.repositories.git_command import Conditions, GitCommand, GitOutput
from app.repositories.git_urls import checked_branch, checked_url
from app.settings import Git

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REF = "refs/mao/code"
_BRANCHES = "refs/heads/"
_NO_SUCH_REF = "find remote ref"
_LINK, _REPOSITORY = "120000", "160000"
_ATTRIBUTES = "* -text -ident -filter -working-tree-encoding\n"


@dataclass(frozen=True)
class Checkout:
    """Where the files are, which commit they are, and which of them the repository has as links."""

    folder: Path
    commit: str
    links: frozenset[str]


def checked_commit(commit: str, *, field: str = "commit") -> str:
    """Return ``commit`` when it is the whole name of one.

    Raises:
        Invalid: it is not.
    """
    if not _COMMIT.fullmatch(commit):
        rule = "Must be the whole name of a commit: 40 of 0-9 and a-f."
        raise Invalid("That is not a commit.", fields={field: [rule]})
    return commit


def check_out(git: GitCommand, settings: Git, folder: Path, url: str, branch: str, commit: str) -> Checkout:
    """Fetch one commit and write its files into ``folder``, which must not exist; git's own folder does not stay.

    ``commit`` wins over ``branch``; without either it is what the remote has as its HEAD. A link of the repository
    becomes a small file, and a submodule an empty folder.

    Raises:
        Invalid: the address, the branch or the commit is not allowed.
        RemoteDown: the git server does not answer, or not in time.
        BackendFailed: it refuses, or the repository is too large.
    """
    checked_url(url, allow_local=settings.allow_local)
    work = _Work(git, folder.with_name(f"{folder.name}.git"), folder)
    try:
        work.fetch(url, _refs(branch, commit))
        found = work.run("rev-parse", "--verify", "--end-of-options", f"{_REF}^{{commit}}").text
        folder.mkdir()
        work.run("read-tree", "--reset", "-u", found, watched=(folder, work.git_dir))
        return Checkout(folder, found, work.links())
    finally:
        remove_folder(work.git_dir)


def _refs(branch: str, commit: str) -> str:
    if commit:
        return checked_commit(commit)
    return f"{_BRANCHES}{checked_branch(branch)}" if branch else "HEAD"


def _missing(url: str, what: str) -> BackendFailed:
    return BackendFailed(f"The git repository {url} has no {what}.", cause="data_unavailable")


class _Work:
    """Git in a folder of its own, which is gone afterwards."""

    def __init__(self, git: GitCommand, git_dir: Path, folder: Path) -> None:
        self._git = git
        self.git_dir = git_dir
        self._folder = folder

    def run(self, *arguments: str, **conditions: Any) -> GitOutput:
        """Run one git command; ``conditions`` are fields of ``Conditions``."""
        place = (f"--git-dir={self.git_dir}", f"--work-tree={self._folder}")
        return self._git.run((*place, *arguments), Conditions(**conditions))

    def fetch(self, url: str, ref: str) -> None:
        """Fetch the one commit; a server that gives no single commit is asked for all that lead to it."""
        self._git.run(("init", "--quiet", "--bare", "--template=", "--", str(self.git_dir)), Conditions())
        info = self.git_dir / "info"
        info.mkdir(exist_ok=True)
        (info / "attributes").write_text(_ATTRIBUTES, encoding="utf-8")
        try:
            self._fetch(url, ["--depth=1"], f"+{ref}:{_REF}")
        except BackendFailed as error:
            if _COMMIT.fullmatch(ref):
                self._fetch_all(url, ref)
            elif _NO_SUCH_REF in error.message:
                what = f"branch '{ref.removeprefix(_BRANCHES)}'" if ref.startswith(_BRANCHES) else "default branch"
                raise _missing(url, what) from error
            else:
                raise

    def _fetch_all(self, url: str, commit: str) -> None:
        self._fetch(url, [], f"+{_BRANCHES}*:refs/mao/all/*")
        name = f"{commit}^{{commit}}"
        if not self.run("rev-parse", "--quiet", "--verify", "--end-of-options", name, accepted=(0, 1, 128)).text:
            raise _missing(url, f"commit {commit} on any of its branches")
        self.run("update-ref", _REF, commit)

    def _fetch(self, url: str, options: Sequence[str], refs: str) -> None:
        fixed = ("--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--quiet")
        self.run("fetch", *fixed, *options, "--", url, refs, remote=url, is_spoken=True, watched=(self.git_dir,))

    def links(self) -> frozenset[str]:
        """Give the paths that are links, or repositories of their own."""
        listed = self.run("ls-files", "--stage", "-z").items
        entries = (entry.partition("\t") for entry in listed)
        return frozenset(path for head, _, path in entries if head.split()[0] in (_LINK, _REPOSITORY))
