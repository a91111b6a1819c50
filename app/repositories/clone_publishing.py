"""What becomes of a run's files in its clone: published to the remote, or kept out of the data and decided upon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.repositories import clone_decisions, clone_push, clone_quarantine, clone_remote
from app.repositories.clone_holding import HeldClones
from app.repositories.clone_push import Published, Target

__all__ = ["Published", "PublishingClones", "Target"]


class PublishingClones(HeldClones):
    """Publishes and sets aside. Errors of every method are those of ``Workdirs``."""

    def publish(self, name: str, target: Target, seconds: float | None = None) -> Published:
        """Push what is committed to the branch that the clone came from; no work tree is touched.

        ``seconds`` may shorten the time limit of the settings. Until ``mark_published``, a repetition tells the same.

        Raises:
            Conflict: the clone came from another address or is on another branch.
            RemoteDown: the remote does not answer in time.
            BackendFailed: it refuses; the cause is ``data_unavailable``.
        """
        self._check(target.url, target.branch)
        limit = self._settings.timeout_seconds
        with self._held(name) as repository:
            repository.require().require_origin(target.url)
            branch = clone_remote.require_branch(repository, target.branch)
            return clone_push.publish(repository, replace(target, branch=branch), min(seconds or limit, limit))

    def mark_published(self, name: str, published: Published) -> None:
        """Note that the records tell what was published, so that the work tree follows with the next refresh."""
        with self._held(name) as repository:
            clone_push.mark_published(repository.require(), published)

    def quarantine(self, name: str, baseline: str, run_id: int) -> str | None:
        """Move what a run wrote since ``baseline`` to the branch ``quarantine/<run id>`` and give its commit.

        Afterwards the work tree is exactly the baseline, with the uncommitted files that were there before the run.
        None when the run left nothing. Safe to repeat after a kill at any point.
        """
        with self._held(name) as repository:
            return clone_quarantine.quarantine(repository.require(), baseline, run_id)

    def promote(self, name: str, run_id: int, subject: str, trailers: Mapping[str, str]) -> str:
        """Put what is kept of a run onto the branch and into the work tree, as a commit of its own, and give that.

        Safe to repeat after a kill at any point.

        Raises:
            NotFound: nothing is kept of the run.
            WrongState: one of the files was changed since, or is in the way; nothing is changed then.
        """
        with self._held(name) as repository:
            return clone_decisions.promote(repository.require(), run_id, message_of(subject, trailers))

    def is_promoted(self, name: str, run_id: int) -> bool:
        """Tell whether what was kept of a run is data already, by a promotion that may have been cut short."""
        with self._held(name) as repository:
            return clone_decisions.promoted(repository.require(), run_id) != ""

    def discard(self, name: str, run_id: int) -> None:
        """Remove what is kept of a run; what is absent is no error."""
        with self._held(name) as repository:
            clone_decisions.discard(repository.require(), run_id)


def message_of(subject: str, trailers: Mapping[str, str]) -> str:
    """Give the message of a commit: its subject, and what is to be read of it by programs."""
    lines = [f"{key}: {' '.join(value.split())}" for key, value in trailers.items() if value.strip()]
    return f"{subject.strip()}\n\n" + "".join(f"{line}\n" for line in lines)
