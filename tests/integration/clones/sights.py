"""What the tests of clones look at, and how they take its inner steps one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from app.repositories.clone_repository import Places, Repository
from app.repositories.git_command import GitCommand
from app.settings import Git

SETTINGS = Git(allow_local=True, timeout_seconds=60, author_name="Node One", author_email="one@example.org")
ROOT = Path(__file__).parents[3]
ODD_NAMES = [
    "grün.csv",
    "two words.csv",
    "new\nline.csv",
    "tab\t.csv",
    '"quoted".csv',
    "-dash.csv",
    ":(top)x.csv",
    "名.csv",
]


def contents(tree: Path) -> dict[str, bytes]:
    """Every file of a work tree, ignored ones too, with what is in it."""
    files = (path for path in tree.rglob("*") if path.is_file() and path != tree / ".git")
    return {str(path.relative_to(tree)): path.read_bytes() for path in files}


def parts_of(importdir: Path) -> set[str]:
    """What there is of clones, finished or not; lock files and the empty home are no part of one."""
    hidden = importdir / ".git-dirs"
    names = [path.name for path in importdir.iterdir() if path != hidden]
    return {*names, *(path.name for path in hidden.iterdir() if path.name != ".home" and path.suffix != ".lock")}


def repository_of(importdir: Path) -> Repository:
    """What works inside a clone, for a test that takes the steps one by one."""
    return Repository(GitCommand(SETTINGS, importdir / ".git-dirs/.home"), Places(importdir, "data"), 0)


def pretend_a_death_at_work(importdir: Path) -> None:
    """Leave the mark that a killed holder of the lock leaves."""
    (importdir / ".git-dirs/data.lock").write_text("at work\n")


def wait_until(is_true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Poll until something has happened."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, f"waited {seconds} s in vain until {what}"
        time.sleep(0.02)


def noise(size: int) -> bytes:
    """Bytes that cannot be compressed, the same ones every time."""
    return Random(7).randbytes(size)
