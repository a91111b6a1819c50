"""What the server offers: one method an endpoint."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO

from cli.addresses import segment as _segment
from cli.client import READ_SECONDS, Client, Json
from cli.data_endpoints import DataEndpoints
from cli.errors import ServerFailed
from cli.incident_endpoints import IncidentEndpoints
from cli.installation_endpoints import InstallationEndpoints
from cli.metric_endpoints import MetricEndpoints
from cli.notification_endpoints import NotificationEndpoints
from cli.output_pieces import OutputPiece, output_piece
from cli.pages import Listing, items_of

_KEY_BYTES = 16


class Server(DataEndpoints, IncidentEndpoints, InstallationEndpoints, MetricEndpoints, NotificationEndpoints):
    """The server behind a client. Every method may raise each of ``Refused``, ``Unreached`` and ``ServerFailed``."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.url = client.url

    # The server itself.

    def alive(self) -> datetime | None:
        """Check that the server lives and give its time, or None where it does not say."""
        date = self._client.get("/healthz").headers.get("Date")
        try:
            return parsedate_to_datetime(date) if date else None
        except ValueError:
            return None

    def version(self) -> str:
        """Give the server's version."""
        info = self._client.get("/api/openapi.json").json.get("info")
        return str(info.get("version", "unknown")).removeprefix("v") if isinstance(info, dict) else "unknown"

    def ready(self) -> Json:
        """Give the state of each system; a server that is not ready says so in the same form."""
        return self._client.get("/readyz", accepted=(503,)).json

    def whoami(self) -> Json:
        """Give the token's identifier, owner, permissions and expiry."""
        return self._client.get("/api/security/whoami").json

    def create_token(self, identifier: str, body: Json) -> Json:
        """Create or replace a token; the answer holds its secret, this once."""
        return self._client.send("POST", f"/api/security/tokens/{_segment(identifier)}", body=body).json

    def revoke_token(self, identifier: str) -> None:
        """Make a token worthless."""
        self._client.send("DELETE", f"/api/security/tokens/{_segment(identifier)}")

    def rotate_token(self, identifier: str, overlap_seconds: int) -> Json:
        """Give a token a new secret, which the answer holds, this once."""
        body = {"overlapSeconds": overlap_seconds}
        return self._client.send("POST", f"/api/security/tokens/{_segment(identifier)}/rotate", body=body).json

    def list_tokens(self, limit: int) -> Listing:
        """List the tokens, without their secrets."""
        return self._client.list("/api/security/tokens", limit)

    def list_audit_log(self, limit: int, query: Json) -> Listing:
        """List entries of the audit log, the newest first; ``query`` may hold actor, action, target, from and to."""
        return self._client.list("/api/audit-log", limit, query)

    def each_of_audit_log(self, query: Json) -> Iterator[Json]:
        """Give every entry of the audit log, the newest first."""
        return self._client.each("/api/audit-log", query)

    # The registry: tools and data sets.

    def list_tools(self, limit: int) -> Listing:
        """List the tools."""
        return self._client.list("/api/tools", limit)

    def get_tool(self, name: str) -> tuple[Json, str]:
        """Give a tool's entry and its revision."""
        return self._entry(f"/api/tools/{_segment(name)}")

    def add_tool(self, entry: Json) -> Json:
        """Register a tool."""
        return self._client.send("POST", "/api/tools", body=entry).json

    def replace_tool(self, entry: Json, revision: str) -> Json:
        """Replace a tool's entry, provided that it still has ``revision``."""
        return self._replace(f"/api/tools/{_segment(entry['name'])}", entry, revision)

    def remove_tool(self, name: str) -> None:
        """Remove a tool from the registry."""
        self._client.send("DELETE", f"/api/tools/{_segment(name)}")

    def list_datasets(self, limit: int) -> Listing:
        """List the data sets."""
        return self._client.list("/api/datasets", limit)

    def get_dataset(self, name: str) -> tuple[Json, str]:
        """Give a data set's entry and its revision."""
        return self._entry(f"/api/datasets/{_segment(name)}")

    def add_dataset(self, entry: Json) -> Json:
        """Register a data set."""
        return self._client.send("POST", "/api/datasets", body=entry).json

    def replace_dataset(self, entry: Json, revision: str) -> Json:
        """Replace a data set's entry, provided that it still has ``revision``."""
        return self._replace(f"/api/datasets/{_segment(entry['name'])}", entry, revision)

    def remove_dataset(self, name: str) -> None:
        """Remove a data set from the registry."""
        self._client.send("DELETE", f"/api/datasets/{_segment(name)}")

    # Local clones.

    def request_clone(self, name: str) -> Json:
        """Ask for a local clone, or for its refresh."""
        return self._client.send("POST", f"/api/datasets/{_segment(name)}/clone").json

    def get_clone(self, name: str) -> Json:
        """Give the state of a local clone."""
        return self._client.get(f"/api/datasets/{_segment(name)}/clone").json

    def list_clones(self, limit: int) -> Listing:
        """List the local clones."""
        return self._client.list("/api/clones", limit)

    def remove_clone(self, name: str, *, force: bool) -> Json:
        """Ask for the removal of a local clone."""
        return self._client.send("DELETE", f"/api/datasets/{_segment(name)}/clone", query=_force(force)).json

    # Runs.

    def run_tool(self, name: str, body: Json, key: str | None = None) -> int:
        """Submit a run of a tool and give the run's id; all that is sent with one ``key`` makes one run."""
        return self._submit(f"/api/tools/{_segment(name)}/runs", body, key)

    def resubmit_run(self, run_id: int, body: Json, key: str | None = None) -> int:
        """Submit a run that is over again, as a new one, and give the new run's id."""
        return self._submit(f"/api/runs/{run_id}/resubmit", body, key)

    def replay_run(self, run_id: int, key: str | None = None) -> int:
        """Submit a run that repeats another, and give the new run's id."""
        return self._submit(f"/api/runs/{run_id}/replay", {}, key)

    def list_runs(self, limit: int, **query: str | None) -> Listing:
        """List runs, the newest first; ``query`` may hold tool, status, owner and job."""
        return self._client.list("/api/runs", limit, query)

    def search_runs(self, limit: int, wanted: Json) -> Listing:
        """Search runs, the newest first."""
        return self._client.search("/api/search/runs", limit, wanted)

    def start_run(self, run_id: int) -> Json:
        """Start a run that waits for it."""
        return self._client.send("POST", f"/api/runs/{run_id}/start").json

    def refresh_run(self, run_id: int) -> Json:
        """Ask the agent to look at a run now."""
        return self._client.send("POST", f"/api/runs/{run_id}/refresh").json

    def resolve_run(self, run_id: int, body: Json) -> Json:
        """Say how a run in doubt went."""
        return self._client.send("POST", f"/api/runs/{run_id}/resolve", body=body).json

    def list_attempts(self, run_id: int) -> Listing:
        """List a run's attempts before the present one; there are few, so the server gives them without pages."""
        return Listing(items_of(self._client.get(f"/api/runs/{run_id}/attempts").json), is_cut=False)

    def get_run(self, run_id: int) -> Json:
        """Give a run."""
        return self._client.get(f"/api/runs/{run_id}").json

    def stop_run(self, run_id: int, *, force: bool) -> Json:
        """Ask for the end of a run."""
        return self._client.send("DELETE", f"/api/runs/{run_id}", query=_force(force)).json

    def wait_run(self, run_id: int, seconds: int) -> Json:
        """Give a run when it is final, or as it is after ``seconds`` (at most 60)."""
        path = f"/api/runs/{run_id}/wait"
        return self._client.get(path, {"timeout": seconds}, read_seconds=READ_SECONDS + seconds).json

    def read_output(self, run_id: int, *, limit: int, offset: int = 0, tail: int | None = None) -> OutputPiece:
        """Give at most ``limit`` bytes of output from ``offset`` on, or the last ``tail`` lines."""
        start: Json = {"offset": offset} if tail is None else {"tail": tail}
        answer = self._client.get(f"/api/runs/{run_id}/output.txt", {**start, "limit": limit})
        return output_piece(answer.body, answer.headers, offset if tail is None else None)

    def get_report(self, run_id: int) -> Json:
        """Give the report of a run that is over."""
        return self._client.get(f"/api/runs/{run_id}/report").json

    def list_events(self, run_id: int, limit: int) -> Listing:
        """List a run's changes of state; there are few, so the server gives them without pages."""
        items = items_of(self._client.get(f"/api/runs/{run_id}/events").json)
        return Listing(items[:limit], len(items) > limit)

    def list_files(self, run_id: int) -> Listing:
        """List the files that a run sees; there are few, so the server gives them without pages."""
        return Listing(items_of(self._client.get(f"/api/runs/{run_id}/files").json), is_cut=False)

    def upload_file(self, run_id: int, name: str, source: BinaryIO) -> Json:
        """Upload a file for a run that is not started yet."""
        return self._client.upload(f"/api/runs/{run_id}/files/{_segment(name)}", source).json

    def download_file(self, run_id: int, name: str) -> tuple[str, Iterator[bytes]]:
        """Give the SHA-256 of a file, in hex or empty where the server does not say it, and its bytes in pieces."""
        headers, pieces = self._client.download(f"/api/runs/{run_id}/files/{_segment(name)}")
        return headers.get("ETag", "").strip('"'), pieces

    # Jobs.

    def list_jobs(self, limit: int, *, internal: bool) -> Listing:
        """List the jobs, with the server's own where ``internal``."""
        return self._client.list("/api/jobs", limit, {"internal": "true" if internal else None})

    def get_job(self, job_id: str) -> Json:
        """Give a job."""
        return self._client.get(f"/api/jobs/{_segment(job_id)}").json

    def put_job(self, body: Json) -> tuple[Json, bool]:
        """Create or change a job; the second value tells whether it is new."""
        answer = self._client.send("POST", "/api/jobs", body=body)
        return answer.json, answer.status == 201

    def change_job(self, job_id: str, body: Json) -> Json:
        """Change what ``body`` names of a job."""
        return self._client.send("PATCH", f"/api/jobs/{_segment(job_id)}", body=body).json

    def preview_job(self, job_id: str, count: int) -> Json:
        """Give the next instants of a job."""
        return self._client.get(f"/api/jobs/{_segment(job_id)}/preview", {"count": count}).json

    def preview_schedule(self, body: Json, count: int) -> Json:
        """Give the next instants of a schedule that is not stored."""
        return self._client.send("POST", "/api/jobs/preview", query={"count": count}, body=body).json

    def explain_job(self, job_id: str, at: str) -> Json:
        """Give why a job ran or did not run at an instant, or at a local time of its zone."""
        return self._client.get(f"/api/jobs/{_segment(job_id)}/why", {"at": at}).json

    def pause_job(self, job_id: str, body: Json) -> Json:
        """Stop a job from firing; ``body`` may hold the reason and the end."""
        return self._client.send("POST", f"/api/jobs/{_segment(job_id)}/pause", body=body).json

    def resume_job(self, job_id: str) -> Json:
        """Let a paused job fire again."""
        return self._client.send("POST", f"/api/jobs/{_segment(job_id)}/resume").json

    def remove_job(self, job_id: str) -> None:
        """Remove a job."""
        self._client.send("DELETE", f"/api/jobs/{_segment(job_id)}")

    def list_firings(self, job_id: str, limit: int) -> Listing:
        """List what became of a job's due instants."""
        return self._client.list(f"/api/jobs/{_segment(job_id)}/firings", limit)

    # The federation.

    def list_locks(self, limit: int) -> Listing:
        """List the locks that runs of all nodes hold."""
        return self._client.list("/api/locks", limit)

    def break_lock(self, key: str) -> None:
        """Break a lock."""
        self._client.send("DELETE", f"/api/locks/{_segment(key)}")

    def _submit(self, path: str, body: Json, key: str | None) -> int:
        answer = self._client.submit(path, body, key or secrets.token_hex(_KEY_BYTES)).json
        if not isinstance(answer.get("runId"), int):
            raise ServerFailed(
                "The server accepted the run, but did not say its id.", hint="`maoctl run list` shows it."
            )
        return int(answer["runId"])

    def _entry(self, path: str) -> tuple[Json, str]:
        answer = self._client.get(path)
        return answer.json, answer.headers.get("ETag", "")

    def _replace(self, path: str, entry: Json, revision: str) -> Json:
        return self._client.send("PUT", path, body=entry, headers={"If-Match": revision}).json


def _force(force: bool) -> Json:
    return {"force": "true"} if force else {}
