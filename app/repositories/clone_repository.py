"""One clone on this disk: a work tree, which tools write to, and git's own folder, which they never see.

A container gets the work tree read-write. Were git's folder inside it, a tool could write a configuration or a hook
that runs on the host. So it lies apart, every command names both places, and the ``.git`` file in the work tree, which
is there for people who use git by hand, is never read here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import BackendFailed, Conflict, NotFound
from app.folders import remove_folder
from app.repositories.git_command import Conditions, GitCommand, GitOutput
from app.repositories.git_errors import MissingObjects
from app.repositories.git_progress import Progress
from app.repositories.offenders import Offence, offenders

GIT_DIRS = ".git-dirs"
ACCOUNTED = "refs/mao/published/head"
"""The commit of ours up to which all is published: each commit is at the remote, there or elsewhere."""
FOLLOWED = "refs/mao/followed"
"""The commit of the remote's branch on which ours was last seen to build, or to which it was last pushed."""
SET_ASIDE = "refs/mao/set-aside/"
"""Below it are the conflict branches as the remote was given them."""
# Data are bytes: nothing that a repository says in .gitattributes may change them on the way in or out.
_ATTRIBUTES = "* -text -ident -filter -working-tree-encoding\n"
PINNED = "mao.commit"
_PARTIAL = "remote.origin.promisor"
_STALE_LOCKS = ("*.lock", "refs/**/*.lock", "objects/**/*.lock")
_STALE_FILES = (*_STALE_LOCKS, "objects/pack/tmp_*", "objects/??/tmp_obj_*", "objects/tmp_objdir-*", "mao-*")


@dataclass(frozen=True)
class Places:
    """Where the parts of the clone ``name`` are. What is being made or removed has a hidden place of its own."""

    importdir: Path
    name: str

    @property
    def tree(self) -> Path:
        """The work tree."""
        return self.importdir / self.name

    @property
    def git_dir(self) -> Path:
        """Git's own folder."""
        return self.importdir / GIT_DIRS / f"{self.name}.git"

    @property
    def refused(self) -> Path:
        """What failed runs left and git cannot keep."""
        return self.importdir / GIT_DIRS / f"{self.name}.refused"

    @property
    def new_tree(self) -> Path:
        """A work tree that is being written."""
        return self.importdir / f".new-{self.name}"

    @property
    def new_git_dir(self) -> Path:
        """A download that is under way."""
        return self.importdir / GIT_DIRS / f".new-{self.name}"

    @property
    def gone(self) -> tuple[Path, Path, Path]:
        """Work tree, git's folder and refused files of a clone that is being removed."""
        hidden = self.importdir / GIT_DIRS
        return (
            self.importdir / f".gone-{self.name}",
            hidden / f".gone-{self.name}",
            hidden / f".gone-refused-{self.name}",
        )


class Repository:
    """Git in one clone. Made for the time in which the clone's lock is held; ``descriptor`` is that lock's."""

    def __init__(self, git: GitCommand, places: Places, descriptor: int) -> None:
        self.git = git
        self.places = places
        self._descriptors = (descriptor,)

    def run(self, *arguments: str, tree: Path | None = None, **conditions: Any) -> GitOutput:
        """Run one git command in this clone; ``conditions`` are fields of ``Conditions``.

        Where it needs files that were left at the remote, it is run again in reach of that.
        """
        place = (f"--git-dir={self.places.git_dir}", f"--work-tree={tree or self.places.tree}")
        try:
            return self.outside(*place, *arguments, **conditions)
        except MissingObjects:
            watched = (*conditions.pop("watched", ()), self.places.git_dir)
            return self.outside(*place, *arguments, **{**conditions, "remote": self.url(), "watched": watched})

    def outside(self, *arguments: str, **conditions: Any) -> GitOutput:
        """Run one git command for, but not in, this clone."""
        return self.git.run(arguments, Conditions(descriptors=self._descriptors, **conditions))

    @property
    def exists(self) -> bool:
        """Whether there is a whole clone."""
        return self.places.git_dir.is_dir() and self.places.tree.is_dir()

    def require(self) -> Repository:
        """Return the clone itself.

        Raises:
            NotFound: there is none.
        """
        if not self.exists:
            name = self.places.name
            raise NotFound(f"There is no local clone of '{name}'.", hint=f"Clone it: maoctl dataset clone {name}")
        return self

    def require_origin(self, url: str) -> None:
        """Make sure that the clone came from ``url``.

        Raises:
            Conflict: it came from somewhere else.
        """
        if self.url() != url:
            raise Conflict(
                f"The local clone of '{self.places.name}' was made from another address than {url}.",
                hint="Remove the local clone, then clone again.",
            )

    def url(self) -> str:
        """Give the address that the clone was made from."""
        return self.run("config", "--local", "--get", "remote.origin.url", accepted=(0, 1)).text

    def pinned_commit(self) -> str:
        """Give the commit that this is the clone of; an empty text for a clone that follows its remote."""
        return self.run("config", "--local", "--get", PINNED, accepted=(0, 1)).text

    def is_partial(self) -> bool:
        """Tell whether the contents of old files were left at the remote."""
        return self.run("config", "--local", "--get", _PARTIAL, accepted=(0, 1)).text != ""

    def commit_of(self, ref: str) -> str:
        """Give the commit that ``ref`` names, or an empty text."""
        return self.run(
            "rev-parse", "--quiet", "--verify", "--end-of-options", f"{ref}^{{commit}}", accepted=(0, 1)
        ).text

    def head(self) -> str:
        """Give the commit that is checked out, or an empty text where nothing was ever committed."""
        return self.commit_of("HEAD")

    def branch(self) -> str:
        """Give the branch that is checked out, or an empty text."""
        return self.run("symbolic-ref", "--quiet", "--short", "HEAD", accepted=(0, 1)).text

    def tree_of(self, commit: str) -> str:
        """Give the tree of ``commit``; the empty tree for an empty text."""
        if not commit:
            return self.run("hash-object", "-t", "tree", "/dev/null").text
        return self.run("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").text

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Tell whether all of ``older`` is contained in ``newer``; no commit at all is contained in every other."""
        return not older or self.run("merge-base", "--is-ancestor", older, newer, accepted=(0, 1)).status == 0

    def changes(self, before: str, after: str, kinds: str) -> list[str]:
        """List the files that differ between two trees; ``kinds`` are git's letters (``AMTD``)."""
        arguments = ("-r", "-z", "--name-only", "--no-renames", f"--diff-filter={kinds}", before, after)
        return self.run("diff-tree", *arguments).items

    def commit_tree(self, tree: str, parent: str, message: str) -> str:
        """Make a commit of ``tree``, on no branch, and give it; ``parent`` may be empty."""
        parents = ("-p", parent) if parent else ()
        return self.run("commit-tree", tree, *parents, "-m", message).text

    def trailer(self, commit: str, key: str) -> str:
        """Give the value of a trailer in the message of ``commit``, or an empty text."""
        wanted = f"--format=%(trailers:key={key},valueonly,separator=%x2C)"
        return self.run("log", "-1", "--no-show-signature", wanted, commit).text

    def uncommitted(self) -> int:
        """Count the files that differ from HEAD. What git must not be shown counts too, without asking git."""
        hidden = sum(1 for found in offenders(self.places.tree) if found.offence is not Offence.SPECIAL_FILE)
        if hidden:
            return hidden
        options = ("--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=all")
        return len(self.run("status", *options).items)

    def unpushed(self) -> int:
        """Count the commits on our branches that the remote was not given, those of failed runs aside."""
        mine = ("HEAD",) if self.head() else ()
        ours = (*mine, "--exclude=quarantine/*", "--branches")
        given = ("--remotes=origin", "--glob=refs/mao/published/*", f"--glob={SET_ASIDE}*")
        return int(self.run("rev-list", "--count", *ours, "--not", *given).text)

    def check_tree(self) -> None:
        """Make sure that git can be let loose on the work tree, and put its ``.git`` file right.

        Raises:
            BackendFailed: with cause ``data_unavailable``: there is something in it that git must not be shown.
        """
        self.write_git_file(self.places.tree)
        for found in offenders(self.places.tree):
            if found.offence is not Offence.SPECIAL_FILE:
                raise BackendFailed(
                    f"The work tree of '{self.places.name}' holds {found.offence.value}: {found.path!r}.",
                    cause="data_unavailable",
                    hint="Remove it from the work tree.",
                )

    def write_git_file(self, tree: Path) -> None:
        """Write the file by which git, used by hand, finds its folder, unless it is there as it should be."""
        path = tree / ".git"
        text = f"gitdir: ../{GIT_DIRS}/{self.places.git_dir.name}\n"
        if path.is_symlink() or not path.is_file() or path.read_bytes() != text.encode():
            remove_folder(path)
            path.write_text(text, encoding="utf-8")

    def write_attributes(self) -> None:
        """Switch off every conversion of file contents in this clone."""
        folder = self.places.git_dir / "info"
        folder.mkdir(exist_ok=True)
        (folder / "attributes").write_text(_ATTRIBUTES, encoding="utf-8")

    def tree_now(self) -> str:
        """Give the id of a tree that is exactly the work tree now, ignored files aside.

        Raises:
            BackendFailed: see ``check_tree``.
        """
        with self._staged() as environment:
            return self.run("write-tree", environment=environment).text

    def has_ignored(self) -> bool:
        """Tell whether the work tree holds files that git ignores; of as many as there may be, the first is enough.

        Raises:
            BackendFailed: see ``check_tree``.
        """
        self.check_tree()
        place = (f"--git-dir={self.places.git_dir}", f"--work-tree={self.places.tree}")
        wanted = ("--others", "--ignored", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
        with self.git.opened((*place, "ls-files", *wanted), Conditions(descriptors=self._descriptors)) as stream:
            if stream.until(b"\0") is not None:
                return True
            if not stream.ends_well():
                raise BackendFailed(f"The work tree of '{self.places.name}' cannot be read.", cause="data_unavailable")
        return False

    def restore(self, tree: str) -> None:
        """Make the work tree exactly ``tree``: new files go, changed and deleted ones come back, ignored ones stay."""
        with self._staged() as environment:
            self.run("read-tree", "--reset", "-u", tree, environment=environment)
        self.reset_index()

    def reset_index(self) -> None:
        """Let the index say what HEAD says, so that nothing is left staged."""
        self.run("read-tree", self.head() or "--empty")
        self.run("update-index", "-q", "--refresh", accepted=(0, 1))

    @contextmanager
    def _staged(self) -> Iterator[Mapping[str, str]]:
        self.check_tree()
        index = self.places.git_dir / "mao-index"
        remove_folder(index)
        real = self.places.git_dir / "index"
        if real.exists():
            # The time of the file is part of it: by it git knows which entries it cannot trust.
            shutil.copy2(real, index)
        environment = {"GIT_INDEX_FILE": str(index)}
        try:
            self.run("add", "--all", environment=environment)
            yield environment
        finally:
            remove_folder(index)

    def write_tree_folder(self, progress: Progress | None) -> None:
        """Write the work tree of HEAD afresh, in a hidden place, and put it in its own place at once."""
        new = self.places.new_tree
        remove_folder(new)
        new.mkdir(parents=True)
        self.write_attributes()
        self.write_git_file(new)
        remove_folder(self.places.git_dir / "index")
        if head := self.head():
            arguments = ("read-tree", "--reset", "-u", "-v", head)
            self.run(*arguments, tree=new, watched=(new, self.places.git_dir), progress=progress)
        new.rename(self.places.tree)

    def clear_leftovers(self) -> None:
        """Remove what a git command leaves behind when it is killed. Only while nothing of ours is at work here."""
        for pattern in _STALE_FILES:
            for path in self.places.git_dir.glob(pattern):
                remove_folder(path)

    def collect_garbage(self) -> None:
        """Pack loose objects when there are many of them."""
        self.run("-c", "gc.auto=6700", "gc", "--auto", "--quiet")
