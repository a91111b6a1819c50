"""Whether the engine is still the one that made a container.

An engine that is killed in the middle of a start may say afterwards that the container was created and never ran,
though its tool has run: the start is written down only after it has happened. Nothing in the container tells the two
apart. But an engine keeps its last events in memory, and a new one begins with none. So one that still knows of the
creation has been there ever since, and what it says of the container counts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any


def remembers_creation(client: Any, container_id: str) -> bool:
    """Tell whether the engine knows that it made the container.

    It keeps some hundred events, so that a busy one may have forgotten; then nothing is known.
    """
    # Everything that has happened so far by the engine's own clock: without an end the engine would go on for ever.
    now = datetime.fromisoformat(client.info()["SystemTime"]).timestamp()
    wanted = {"container": container_id, "event": "create"}
    events = client.events(since=0, until=f"{now:.6f}", filters=wanted, decode=True)
    try:
        return next(iter(events), None) is not None
    finally:
        events.close()
