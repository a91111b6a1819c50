"""What the server offers about notifications: one method an endpoint."""

from __future__ import annotations

from cli.client import Client, Json
from cli.pages import Listing


class NotificationEndpoints:
    """The part of ``Server`` that is about notifications."""

    _client: Client

    def list_notifications(self, limit: int) -> Listing:
        """List the federation's notifications."""
        return self._client.list("/api/notifications", limit)

    def list_deliveries(self, limit: int, query: Json) -> Listing:
        """List what became of the node's notifications, the newest first; ``query`` may hold state."""
        return self._client.list("/api/notifications/deliveries", limit, query)

    def send_test(self) -> str:
        """Send a notification wherever others go, and give its id."""
        return str(self._client.send("POST", "/api/notifications/test").json.get("id"))
