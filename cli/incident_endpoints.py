"""What the server offers about incidents and decisions: one method an endpoint."""

from __future__ import annotations

from cli.addresses import segment
from cli.client import Client, Json
from cli.pages import Listing


class IncidentEndpoints:
    """The part of ``Server`` that is about incidents, and about what people decide."""

    _client: Client

    def list_incidents(self, limit: int, query: Json) -> Listing:
        """List incidents, the newest first; ``query`` may hold tool, kind and open."""
        return self._client.list("/api/incidents", limit, query)

    def list_decisions(self, tool: str, limit: int) -> Listing:
        """List what was decided about a tool's numbers, the newest first."""
        return self._client.list(f"/api/tools/{segment(tool)}/decisions", limit)

    def decide(self, tool: str, body: Json) -> Json:
        """Say that numbers of a tool are right or wrong, or mute it."""
        return self._client.send("POST", f"/api/tools/{segment(tool)}/decisions", body=body).json

    def undo_decision(self, tool: str, decision_id: int, why: str) -> Json:
        """Take a decision back."""
        path = f"/api/tools/{segment(tool)}/decisions/{decision_id}/undo"
        return self._client.send("POST", path, body={"why": why}).json
