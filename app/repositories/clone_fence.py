"""What keeps an agent whose term is over out of the clones.

Git knows nothing of terms of office. So whoever holds a clone's lock notes its own term beside it, and whoever finds
another's there asks PostgreSQL whose term it is now. An agent that was frozen for a while and wakes is refused in every
clone that its successor has touched; in the others it can do no harm, because there is nothing there yet to be harmed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.errors import Superseded


@dataclass(frozen=True)
class Fence:
    """One agent's term, and the question whether it is still the node's; ``check`` needs the clone's lock."""

    term: str
    is_current: Callable[[], bool]

    def check(self, mark: Path) -> None:
        """Pass where the clone's ``mark`` shows this term; else make it show it, if it is the node's.

        Raises:
            Superseded: another agent has taken over.
        """
        if mark.exists() and mark.read_text(encoding="utf-8") == self.term:
            return
        if not self.is_current():
            raise Superseded("Another agent has taken over this node.")
        new = mark.with_suffix(".term-new")
        new.write_text(self.term, encoding="utf-8")
        new.replace(mark)
