"""What the server offers about definition tools: one method an endpoint."""

from __future__ import annotations

from cli.addresses import segment
from cli.client import Answer, Client, Json
from cli.pages import Listing


class InstallationEndpoints:
    """The part of ``Server`` that is about definition tools."""

    _client: Client

    def find_definition(self, url: str, branch: str) -> Answer:
        """Ask for the definition at a git address; the agent may be at work on the answer (202)."""
        return self._client.get("/api/definitions", {"url": url, "branch": branch})

    def request_installation(self, name: str, body: Json) -> Answer:
        """Ask for the installation of a tool, or with ``dryRun`` for what that would do (202: not known yet)."""
        return self._client.send("POST", f"/api/tools/{segment(name)}/installation", body=body)

    def get_installation(self, name: str) -> Json:
        """Give what is installed of a tool."""
        return self._client.get(f"/api/tools/{segment(name)}/installation").json

    def list_installations(self, limit: int) -> Listing:
        """List the tools that are installed."""
        return self._client.list("/api/installations", limit)

    def remove_installation(self, name: str) -> Json:
        """Ask for the removal of what is installed of a tool."""
        return self._client.send("DELETE", f"/api/tools/{segment(name)}/installation").json

    def help_on_tool(self, name: str) -> Json:
        """Give the commands of an installed tool."""
        return self._client.get(f"/api/tools/{segment(name)}/help").json
