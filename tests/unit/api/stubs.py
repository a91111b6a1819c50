"""Services that answer from memory and note what they were asked, so that the routes can be tested alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

from app.errors import AlreadyExists, NotFound, RevisionRequired, StaleRevision, Unauthenticated
from app.models.audit import AuditEntry
from app.models.clone import Clone
from app.models.dataset import Dataset
from app.models.definition import Argument, Command, Definition, Step
from app.models.index import IndexEntry
from app.models.installation import Installation
from app.models.job import Firing, Job
from app.models.lock import Holder, Lock
from app.models.token import Identity, Permission, Token
from app.models.tool import Tool
from app.repositories.deliveries import Listed
from app.services.figures import Figure
from app.services.previews import Coming, Preview
from app.services.refusals import Counted
from app.services.why import Answer

from .comparison_stubs import Comparisons
from .incident_stubs import Decisions, Incidents
from .metric_stubs import Backtests, MetricImports, Metrics
from .output_stubs import Outputs
from .run_stubs import Files, Origins, Passports, Replays, RunChanges, Runs, Submissions, Verifications, Webhooks
from .samples import NOON, Recorder
from .snapshot_stubs import Snapshots

NEPAL = timezone(timedelta(hours=5, minutes=45))
SECRETS = {
    "secret-of-all": Identity("root", "operator", frozenset(Permission)),
    "secret-of-none": Identity("reader", "stranger", frozenset()),
}


def a_tool(name: str = "spike", **changes: Any) -> Tool:
    return Tool(
        **{"name": name, "author": "p", "image": "i", "data_repo": "", "code_repo": "", "artefact": "", **changes}
    )


def a_job(name: str = "spike", **changes: Any) -> Job:
    known = {"id": name, "tool": "spike", "trigger": "0 0 * * *", "zone": "UTC", "is_once": False, "created_at": NOON}
    times = {"next_run_at": NOON, "jitter_seconds": 0}
    return Job(**{**known, **times, "parameters": {"timeout_seconds": 60}, **changes})


def a_firing(day: int) -> Firing:
    at = NOON.replace(day=day)
    return Firing(due_at=at, recorded_at=at, outcome="fired", reason="due", run_id=1)


def a_token(identifier: str) -> Token:
    return Token(
        identifier=identifier,
        secret_sha256="hash-that-stays-here",
        previous_sha256="hash-before-that-stays-here",
        owner="operator",
        permissions=["job_submit"],
        created_by="installation",
        created_at=NOON,
    )


def an_audit_entry(number: int) -> AuditEntry:
    return AuditEntry(id=number, at=NOON, actor="root", action="a.b", target="/api/runs", result="202", details={})


def a_clone(name: str = "helm", state: str = "READY") -> Clone:
    return Clone(name=name, url="https://x/y", state=state, progress_percent=100, message="", updated_at=NOON)


class Tokens(Recorder):
    error: Exception | None = None

    def authenticate(self, secret: str) -> Identity:
        if self.error:
            raise self.error
        if secret not in SECRETS:
            raise Unauthenticated("The token is missing, unknown, replaced or expired.")
        return SECRETS[secret]

    def get(self, identity: Identity, identifier: str) -> Token:
        if identifier not in ("root", "reader"):
            raise NotFound(f"There is no token '{identifier}'.")
        return a_token(identifier)

    def list(self, identity: Identity, *, after: str = "", limit: int = 100) -> Sequence[Token]:
        return [a_token(name) for name in ("reader", "root") if name > after][:limit]

    def create(self, identity: Identity, identifier: str, **options: Any) -> tuple[Token, str]:
        self.note("create", identity, identifier, **options)
        return a_token("root"), "mao_root_secret"

    def rotate(self, identity: Identity, identifier: str, overlap_seconds: int) -> tuple[Token, str]:
        self.note("rotate", identity, identifier, overlap_seconds)
        return a_token(identifier), "mao_root_rotated"

    def revoke(self, identity: Identity, identifier: str) -> None:
        self.note("revoke", identity, identifier)


class Entries(Recorder):
    """Tools or data sets."""

    def __init__(self, *entries: Any) -> None:
        super().__init__()
        self.known = {entry.name: (entry, 7) for entry in entries}
        self.kind = type(entries[0])

    def get(self, name: str) -> tuple[Any, int]:
        if name not in self.known:
            raise NotFound(f"There is no entry '{name}'.", hint="Did you mean 'spike'?")
        return self.known[name]

    def list(self, *, after: str = "", limit: int = 100) -> list[tuple[Any, int]]:
        self.note("list", after=after, limit=limit)
        return [self.known[name] for name in sorted(self.known) if name > after][:limit]

    def register(self, identity: Identity, values: dict[str, Any], revision: int | None) -> tuple[Any, int]:
        self.note("register", identity, values, revision)
        if values["name"] in self.known:
            raise AlreadyExists(f"'{values['name']}' is taken.")
        return self.kind.from_dict(values), 8

    def update(self, identity: Identity, name: str, values: dict[str, Any], revision: int | None) -> tuple[Any, int]:
        self.note("update", identity, name, values, revision)
        if revision is None:
            raise RevisionRequired("Which revision?")
        if revision != 7:
            raise StaleRevision("It was changed.")
        return self.kind.from_dict({**values, "name": name}), 8

    def remove(self, identity: Identity, name: str, revision: int | None = None) -> None:
        self.note("remove", identity, name, revision)


class Jobs(Recorder):
    def schedule(self, identity: Identity, values: dict[str, Any]) -> tuple[Job, bool]:
        self.note("schedule", identity, values)
        return a_job(), values["tool"] == "new"

    def get(self, identity: Identity, job_id: str) -> tuple[Job, int | None]:
        return a_job(job_id), 5

    def list(self, identity: Identity, *, after: str = "", limit: int = 100) -> Sequence[tuple[Job, int | None]]:
        return [(a_job(name), None) for name in ("a", "b", "c") if name > after][:limit]

    def internal(self) -> dict[str, Any]:
        return {
            "mao.life": {"everySeconds": 3.0, "lastTime": NOON.isoformat()},
            "mao.firings": {"everySeconds": None, "lastTime": None},
        }

    def remove(self, identity: Identity, job_id: str) -> None:
        self.note("remove", identity, job_id)

    def change(self, identity: Identity, job_id: str, values: dict[str, Any]) -> Job:
        self.note("change", identity, job_id, values)
        return a_job()

    def preview(self, identity: Identity, job_id: str, count: int) -> Preview:
        self.note("preview", identity, job_id, count)
        return Preview(a_job(zone="Asia/Kathmandu"), 7, [Coming(NOON, NOON.astimezone(NEPAL), NOON, is_paused=False)])

    def preview_unstored(self, values: dict[str, Any], count: int) -> Preview:
        self.note("preview_unstored", values, count)
        return Preview(a_job(), 0, [])

    def why(self, identity: Identity, job_id: str, at: datetime) -> Answer:
        self.note("why", identity, job_id, at)
        return Answer(
            job_id, NOON, NOON.astimezone(NEPAL), "fired", "It was due.", NOON, a_firing(29), "FAILED", None, None
        )

    def pause(self, identity: Identity, job_id: str, reason: str, until: datetime | None = None) -> Job:
        self.note("pause", identity, job_id, reason, until)
        return a_job()

    def resume(self, identity: Identity, job_id: str) -> Job:
        self.note("resume", identity, job_id)
        return a_job()

    def firings(
        self, identity: Identity, job_id: str, *, after: datetime | None = None, limit: int = 100
    ) -> Sequence[Firing]:
        self.note("firings", job_id, after=after, limit=limit)
        known = [a_firing(29), a_firing(28)]
        return [firing for firing in known if after is None or firing.due_at < after][:limit]


class Clones(Recorder):
    def request(self, dataset: Dataset) -> Clone:
        return a_clone(dataset.name, "REQUESTED")

    def get(self, name: str) -> Clone:
        return a_clone(name)

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Clone]:
        return [a_clone(name) for name in ("a", "b") if name > after][:limit]

    def request_removal(self, name: str, *, is_forced: bool = False) -> Clone:
        self.note("request_removal", name, is_forced=is_forced)
        return a_clone(name, "REMOVING")


class Index(Recorder):
    def hubs(self, *, after: str = "", limit: int = 100) -> Sequence[str]:
        return [hub for hub in ("dockerhub", "helmhub") if hub > after][:limit]

    def dates(self, hub: str, *, after: str = "", limit: int = 100) -> Sequence[str]:
        self.note("dates", hub)
        return [date for date in ("2026-03-01", "2026-03-02") if date > after][:limit]

    def snapshots(self, hub: str, date: str, *, after: str = "", limit: int = 100) -> Sequence[IndexEntry]:
        self.note("snapshots", hub, date)
        known = [("josef", "a"), ("josef", "b"), ("panos", "a")]
        entries = [IndexEntry(hub, date, who, what, "https://x/y", "c" * 40, 7) for who, what in known]
        return [entry for entry in entries if f"{entry.operator}/{entry.dataset}" > after][:limit]

    def retrieve(self, *place: str | None) -> Clone:
        self.note("retrieve", *place)
        clone = a_clone("helm-2026-03-01", "REQUESTED")
        clone.commit = "c" * 40
        return clone


class Locks(Recorder):
    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Lock]:
        held = [Lock("archive", Holder(7, "node-a", "0", 1), NOON, 41, 3), Lock("odd", None, None, 42, 0)]
        return [lock for lock in held if lock.key > after][:limit]

    def break_lock(self, identity: Identity, key: str) -> None:
        self.note("break_lock", identity, key)
        if key == "free":
            raise NotFound("Nobody holds the lock 'free'.")


class Notifications(Recorder):
    def deliveries(self, *, state: str | None, after: Any, limit: int) -> Sequence[Listed]:
        self.note("deliveries", state, after, limit)
        known = {"kind": "spike", "tool": "spike", "channel": "webhook", "state": "given_up", "attempts": 9}
        known |= {"message": "h refuses the connection.", "due_at": NOON, "finished_at": NOON}
        listed = [Listed(id=id_, target=target, **known) for id_, target in (("01B", "h#2"), ("01B", "h#1"))]
        return [one for one in listed if after is None or one.place < after][:limit]

    def test(self) -> str:
        self.note("test")
        return "01C"

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[dict[str, Any]]:
        known = {"node": "n", "kind": "spike", "tool": "spike", "run_id": 1, "summary": "s", "values": {"a_b": 1}}
        known |= {"incident_id": None}
        return [{"id": name, **known} for name in ("n/1", "n/2") if name > after][:limit]


class Audit(Recorder):
    error: Exception | None = None

    def begin(self, actor: str, action: str, target: str, **options: Any) -> int:
        if self.error:
            raise self.error
        self.note("begin", actor, action, target, **options)
        return len(self.calls)

    def finish(self, entry_id: int, result: str, details: dict[str, Any] | None = None) -> None:
        self.note("finish", entry_id, result, details)

    def list(
        self, identity: Identity, *, after: int | None = None, limit: int = 100, **options: Any
    ) -> Sequence[AuditEntry]:
        self.note("list", identity, after=after, limit=limit, **options)
        return [an_audit_entry(number) for number in (3, 2, 1) if after is None or number < after][:limit]


class Refusals(Recorder):
    counted = Counted(is_recorded=True)

    def count(self, address: str | None, claimed: str | None) -> Counted:
        self.note("count", address, claimed)
        return self.counted


class Questions(Recorder):
    """Answers every question with what the test has put into ``answers`` for its kind."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {}

    def ask(self, kind: str, body: Any) -> Any:
        self.note("ask", kind, body)
        return self.answers[kind]


class Installations(Recorder):
    row = Installation(name="visitors", state="READY", current=1, commit="1f", how="process", updated_at=NOON, log="")
    known = Definition("0.2", "visitors", "Counts.", (Command("count", "", Step("sh", "a.sh"), (Argument("year"),)),))

    def request(self, name: str, *, branch: str, commit: str) -> Installation:
        self.note("request", name, branch=branch, commit=commit)
        return self.row

    def check(self, name: str, *, branch: str, commit: str) -> dict[str, Any]:
        self.note("check", name, branch=branch, commit=commit)
        return {"commit": "1f", "how": "process", "definition": self.known.to_dict(), "steps": ["Fetch it."]}

    def definition(self, url: str, branch: str) -> dict[str, Any]:
        self.note("definition", url, branch)
        return {"url": url, "commit": "1f", "definition": self.known.to_dict()}

    def get(self, name: str) -> Installation:
        return self.row

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[Installation]:
        return [self.row][:limit] if after < "visitors" else []

    def help(self, name: str) -> tuple[Definition, str]:
        return self.known, "1f"

    def request_removal(self, name: str) -> Installation:
        self.note("request_removal", name)
        return self.row


class Health:
    def __init__(self) -> None:
        self.found = {"postgres": (True, "15.18"), "docker": (True, "20.10")}

    def check(self) -> dict[str, tuple[bool, str]]:
        return self.found


class Figures:
    def read(self) -> list[Figure]:
        one = Figure("mao_slots", "Runs that this node holds at most.", values={"": 4})
        return [one, Figure("mao_runs", 'By "status".', "status", {"RUNNING": 2, 'odd"\\\n': 1})]


def stub_services() -> SimpleNamespace:
    return SimpleNamespace(
        tools=Entries(a_tool(), a_tool("zeta")),
        datasets=Entries(Dataset("helm", "https://x/y")),
        clones=Clones(),
        snapshots=Snapshots(),
        index=Index(),
        runs=Runs(),
        outputs=Outputs(),
        submissions=Submissions(),
        run_changes=RunChanges(),
        quarantines=RunChanges(),
        replays=Replays(),
        verifications=Verifications(),
        comparisons=Comparisons(),
        passports=Passports(),
        origins=Origins(),
        files=Files(),
        webhooks=Webhooks(),
        jobs=Jobs(),
        tokens=Tokens(),
        locks=Locks(),
        notifications=Notifications(),
        incidents=Incidents(),
        decisions=Decisions(),
        health=Health(),
        figures=Figures(),
        metrics=Metrics(),
        backtests=Backtests(),
        metric_imports=MetricImports(),
        audit=Audit(),
        refusals=Refusals(),
        questions=Questions(),
        installations=Installations(),
    )
