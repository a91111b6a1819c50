"""One push of one commit to one branch, and what the remote answers. Git tells it in words, which are read here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.errors import BackendFailed, RemoteDown
from app.repositories.clone_repository import Repository
from app.repositories.git_command import Conditions
from app.repositories.git_errors import telling_line

_MOVED = re.compile(
    r"fetch first|non-fast-forward|stale info|to lock|cannot lock|incorrect old value|already exists|failed to update"
)
_UNKNOWN = re.compile(r"remote failure|failed to report status")
_WORDS = re.compile(r"^remote: *(?:error: *)?(.*\S)", re.MULTILINE)


def push(repository: Repository, url: str, commit: str, branch: str, seconds: float) -> bool:
    """Push one commit to one branch; give False where others were faster.

    Raises:
        RemoteDown: nobody knows what became of it.
        BackendFailed: the remote refuses it.
    """
    options = ("--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", "--no-signed")
    conditions = Conditions(remote=url, seconds=seconds, accepted=(0, 1))
    answer = repository.run(
        *("push", *options, "--", url, f"{commit}:refs/heads/{branch}"),
        remote=url,
        seconds=seconds,
        accepted=conditions.accepted,
    )
    if answer.status == 0:
        return True
    refusal = next((line for line in answer.text.splitlines() if line.startswith("!\t")), "")
    if not refusal:
        raise repository.git.failure(answer.complaints, conditions)
    private = repository.git.private_texts(conditions)
    reason = telling_line(refusal.rpartition("(")[2].removesuffix(")"), private)
    if _UNKNOWN.search(reason):
        raise RemoteDown(f"The git server of {url} did not say what became of the push.", hint="Try again later.")
    if _MOVED.search(reason):
        return False
    raise _refused(url, branch, reason, answer.complaints, private)


def _refused(url: str, branch: str, reason: str, complaints: str, private: Sequence[str]) -> BackendFailed:
    words = _WORDS.findall(complaints)
    said = f" It says: {telling_line(words[0], private)}" if words else ""
    return BackendFailed(
        f"The git repository {url} does not take a push to branch '{branch}': {reason}.{said}",
        cause="data_unavailable",
        hint="Ask its owner to let this node push there, or publish with 'commit'.",
    )
