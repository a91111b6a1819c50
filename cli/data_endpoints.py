"""What the server offers about the data themselves: one method an endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from cli.addresses import segment
from cli.client import Answer, Client, Json
from cli.pages import Listing, first_items


class DataEndpoints:
    """The part of ``Server`` that is about data."""

    _client: Client

    # The index of snapshots.

    def each_hub(self) -> Iterator[Json]:
        """Give every hub of the index."""
        return self._client.each("/api/index/hubs")

    def each_date(self, hub: str) -> Iterator[Json]:
        """Give every day of a hub, the oldest first."""
        return self._client.each(f"/api/index/{segment(hub)}/dates")

    def each_snapshot(self, hub: str, date: str) -> Iterator[Json]:
        """Give every snapshot of a hub and day: operator, data set, commit, URL and run."""
        return self._client.each(f"/api/index/{segment(hub)}/{segment(date)}/operators")

    def retrieve(self, place: tuple[str, str, str, str], body: Json) -> Json:
        """Ask for a clone at the commit of the snapshot at ``place``: hub, date, operator and data set."""
        return self._client.send("POST", f"/api/index/{'/'.join(map(segment, place))}/clone", body=body).json

    # What each commit brought.

    def list_snapshots(self, name: str, limit: int, query: Json) -> tuple[Listing, bool]:
        """List snapshots, the newest first, and tell whether the server knows them all.

        ``query`` may hold since, until and run.
        """
        is_complete = True

        def fetch(page: Json) -> Json:
            nonlocal is_complete
            answer = self._client.get(f"/api/datasets/{segment(name)}/snapshots", {**query, **page}).json
            is_complete = is_complete and bool(answer.get("isComplete"))
            return answer

        return first_items(fetch, limit), is_complete

    # Files that were kept out of the data.

    def promote(self, run_id: int, body: Json) -> Json:
        """Ask that what is kept of a run be part of the data; ``body`` may hold force."""
        return self._client.send("POST", f"/api/runs/{run_id}/promote", body=body).json

    def discard(self, run_id: int) -> Json:
        """Ask that what is kept of a run be removed."""
        return self._client.send("POST", f"/api/runs/{run_id}/discard").json

    def compare(self, name: str, query: Json) -> Answer:
        """Ask what differs between two snapshots; the agent may be at work on the answer (202).

        ``query`` may hold from, to, key, scope, format and limit.
        """
        return self._client.get(f"/api/datasets/{segment(name)}/compare", query)

    # What became of a run's data.

    def get_origin(self, name: str, path: str) -> Answer:
        """Ask which run last wrote a file; the agent may be at work on the answer (202)."""
        return self._client.get(f"/api/datasets/{segment(name)}/origin", {"path": path})

    def get_passport(self, run_id: int) -> Json:
        """Give a run's passport."""
        return self._client.get(f"/api/runs/{run_id}/passport").json

    def get_crate(self, run_id: int) -> Json:
        """Give a run's passport as an RO-Crate."""
        return self._client.get(f"/api/runs/{run_id}/passport", {"format": "ro-crate"}).json

    def verify_run(self, run_id: int, replay_id: int | None) -> Answer:
        """Ask what became of the files that a run wrote; the agent may be at work on the answer (202)."""
        return self._client.get(f"/api/runs/{run_id}/verification", {"replay": replay_id})
