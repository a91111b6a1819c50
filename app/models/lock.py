"""A lock: a key in etcd that one run of the federation holds for as long as its node renews the lease."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: a run, and the term of office in which its agent took the lock for it.

    ``installation`` keeps two nodes apart that were given the same name.
    """

    run_id: int
    node: str
    installation: str
    epoch: int

    def is_same_run(self, other: Holder | None) -> bool:
        """Tell whether ``other`` is the same run, in this term of office or in another one."""
        return other is not None and replace(other, epoch=self.epoch) == self


@dataclass(frozen=True)
class Lock:
    """A lock that is held.

    ``token`` grows from one holder of a key to the next. All locks of a run have the same ``lease`` and token.
    ``holder`` and ``since`` are None where what is stored cannot be read; the lock is held all the same.
    """

    key: str
    holder: Holder | None
    since: datetime | None
    token: int
    lease: int

    @property
    def run_id(self) -> int | None:
        """The number of the run, at its own node."""
        return self.holder.run_id if self.holder else None

    @property
    def node(self) -> str | None:
        """The name of the node that the run belongs to."""
        return self.holder.node if self.holder else None
