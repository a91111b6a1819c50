"""The index of snapshots: where the data of a hub, a day and an operator are."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FOREIGN = re.compile(r"[^a-z0-9._-]+")
_NAME_LENGTH = 63

UNSORTED_HUB = "unsorted"
"""The hub of data sets and tools that name none."""
UNKNOWN_OPERATOR = "unknown"
"""The operator of a node whose settings name no user that could be part of a key."""


@dataclass(frozen=True)
class IndexEntry:
    """A snapshot that the federation may retrieve: the commit of run ``run_id`` in the repository at ``url``.

    ``date`` is the run's, as ``YYYY-MM-DD``. The latest run of a day, operator and data set is the one that is named.
    """

    hub: str
    date: str
    operator: str
    dataset: str
    url: str
    commit: str
    run_id: int


def operator_key(user: str) -> str:
    """Give the name under which the data of ``user`` are found: small letters, and '-' for what no key may hold."""
    safe = _FOREIGN.sub("-", user.lower()).lstrip("._-")[:_NAME_LENGTH].rstrip("-")
    return safe or UNKNOWN_OPERATOR
