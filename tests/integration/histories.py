"""Histories of any length, written into a bare repository by git's own fast-import."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.git_server import git

FIRST_SECOND = 1_735_689_600
"""The first of January 2025, UTC; each commit is a minute later than the one before."""


@dataclass(frozen=True)
class Step:
    """One commit: files by path (None removes one), message, and second of the commit where it matters.

    Bytes of the message that are no UTF-8 are written as in ``os``.
    """

    files: Mapping[str, str | bytes | None] = field(default_factory=dict)
    message: str = "data"
    at: int | None = None


def write_history(bare: Path, steps: Iterable[Step], *, onto: str = "", branch: str = "main") -> str:
    """Commit the steps one after the other, behind ``onto`` where there is one, and give the last commit."""
    if not bare.exists():
        git("init", "-q", "--bare", "--initial-branch=main", bare, cwd=bare.parent)
    program = subprocess.Popen(["git", "fast-import", "--quiet", "--force"], cwd=bare, stdin=subprocess.PIPE)
    assert program.stdin
    for number, step in enumerate(steps):
        program.stdin.write(_commit(number, step, onto, branch))
    program.stdin.close()
    assert program.wait() == 0
    return git("rev-parse", branch, cwd=bare)


def _commit(number: int, step: Step, onto: str, branch: str) -> bytes:
    message = step.message.encode(errors="surrogateescape")
    at = FIRST_SECOND + 60 * number if step.at is None else step.at
    parts = [f"commit refs/heads/{branch}\ncommitter Ada <ada@example.org> {at} +0000\n".encode()]
    parts += [b"data %d\n%b\n" % (len(message), message)]
    if number == 0 and onto:
        parts.append(f"from {onto}\n".encode())
    for path, content in step.files.items():
        if content is None:
            parts.append(f"D {path}\n".encode())
            continue
        data = content.encode() if isinstance(content, str) else content
        parts.append(f"M 100644 inline {path}\n".encode() + b"data %d\n%b\n" % (len(data), data))
    return b"".join([*parts, b"\n"])
