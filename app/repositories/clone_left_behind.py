"""What a clone left at its remote, fetched when somebody needs it."""

from __future__ import annotations

from collections.abc import Iterable

from app.repositories.clone_history import History
from app.repositories.clone_repository import Repository


def fetch_left_behind(repository: Repository, blobs: Iterable[str]) -> None:
    """Fetch those of these contents that the clone left at its remote, all of them by one command.

    Raises:
        RemoteDown: the remote does not answer, or not in time.
        BackendFailed: it refuses, or does not have one of them.
    """
    missing = History(repository.git, repository.places.git_dir).left_behind(blobs)
    if not missing:
        return
    # This is how git itself fetches what it misses, but it would do so one by one.
    options = ("--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--filter=blob:none", "--stdin")
    repository.run(
        *("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", *options, "origin"),
        remote=repository.url(),
        watched=(repository.places.git_dir,),
        given="".join(f"{blob}\n" for blob in missing).encode(),
    )
