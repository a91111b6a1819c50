"""Points are imported from files, histories and records, once, judged as if they had come one after the other."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.clock import utc_now
from app.errors import BackendFailed, Invalid, NotFound
from app.models.metric import MetricDecision, MetricPoint
from app.models.run import RunStatus
from app.repositories.memory_kv import MemoryKv
from app.repositories.metric_decisions import MetricDecisionRepository
from app.repositories.metrics import MetricRepository, NewPoint, SeriesName
from app.repositories.registry import Registry
from app.services import metric_imports
from app.services.answering import Answering
from app.services.answers import ANSWERERS
from app.services.metric_choices import shares
from app.services.metric_history import in_history
from app.services.metric_imports import MetricImportService, import_metrics
from app.services.metric_series import judge_reported
from app.services.metrics import bare_entry
from app.services.questions import QuestionService
from app.services.sort_keys import key_of_name
from app.spike import Point, replay
from tests.integration.core.test_snapshots import Library
from tests.integration.core.world import World
from tests.integration.git_server import git
from tests.integration.histories import Step

DAY = datetime(2025, 1, 1, tzinfo=UTC)
CONTROL = SeriesName("data", "spike", "control")


@pytest.fixture
def library(world: World, tmp_path: Path) -> Library:
    return Library(world, tmp_path)


def imported(library: Library, source: str, metrics: dict[str, Any] | None = None) -> dict[str, tuple[int, int]]:
    """Import, and give how many points of each metric were added and changed."""
    body = {"tool": "spike", "clone": "data", "source": source, "metrics": metrics or {}}
    answer = import_metrics(library.context, body)
    return {count["metric"]: (count["added"], count["changed"]) for count in answer["metrics"]}


def points(library: Library, metric: str = "control", *, with_replaced: bool = False) -> list[MetricPoint]:
    query = select(MetricPoint).where(MetricPoint.metric == metric).order_by(MetricPoint.sort_key, MetricPoint.id)
    with library.world.database.transaction() as session:
        found = session.scalars(query if with_replaced else query.where(MetricPoint.is_current)).all()
        session.expunge_all()
        return list(found)


def named(day: int) -> str:
    return f"control-{DAY + timedelta(days=day):%Y-%m-%d}.csv"


def value(day: int) -> float:
    """A quiet series with one fall on the day 200."""
    return 500.0 if day == 200 else 1000.0 + day % 5


def daily(days: range) -> list[Step]:
    return [Step({named(day): f"{value(day)}\n"}, at=int((DAY + timedelta(days=day)).timestamp())) for day in days]


def run_point(label: str, number: float, run_id: int = 7) -> NewPoint:
    return NewPoint(
        label=label,
        sort_key=key_of_name(label),
        measured_at=utc_now(),
        value=number,
        reported=str(number),
        judged="counted",
        standing="counted",
        status="ok",
        verdict={"status": "ok", "sentence": "as it was judged then"},
        source="run",
        run_id=run_id,
    )


def test_the_control_files_of_an_existing_repository_are_judged_one_after_the_other_and_once(library: Library) -> None:
    library.grow(*daily(range(300)))
    assert imported(library, "files") == {"control": (300, 0)}
    stored = points(library)
    assert [point.label for point in stored] == [named(day) for day in range(300)]
    expected = replay([Point(value(day), DAY + timedelta(days=day)) for day in range(300)])
    assert [point.status for point in stored] == [verdict.status for verdict in expected]
    assert [point.measured_at for point in stored] == [DAY + timedelta(days=day) for day in range(300)]
    assert (stored[200].status, stored[200].judged, stored[200].source) == ("drop", "flagged", "file")
    assert imported(library, "files") == {"control": (0, 0)}
    assert imported(library, "history")["control"] == (0, 0)
    assert [point.id for point in points(library, with_replaced=True)] == [point.id for point in stored]


def test_what_is_gone_from_the_files_is_found_in_the_history_with_its_newest_value(library: Library) -> None:
    library.grow(
        Step({named(1): "900\n", named(2): "901\n"}),
        Step({named(1): "950\n"}, "corrected"),
        Step({named(2): None}, "removed"),
        Step({"control-last.csv": "nonsense\n", "folder/control-9.csv": "1\n"}),
    )
    assert imported(library, "history")["control"] == (3, 0)
    told = {point.label: (point.value, point.source, point.status) for point in points(library)}
    assert told[named(1)] == (950.0, "history", "not_enough_data")
    assert told[named(2)][0] == 901.0
    assert told["control-last.csv"] == (None, "history", "bad_metric")
    undated = next(point for point in points(library) if point.label == "control-last.csv")
    assert undated.measured_at == datetime(2025, 1, 1, 0, 3, tzinfo=UTC), "the time of the commit that brought it"


def test_a_history_that_was_rewritten_gives_newer_points_and_touches_no_runs(library: Library) -> None:
    base = library.grow(Step({named(1): "900\n"}))
    library.grow(Step({named(2): "901\n", named(3): "902\n"}))
    assert imported(library, "history")["control"] == (3, 0)
    with library.world.database.transaction() as session:
        MetricRepository(session).add(CONTROL, [run_point(named(3), 903.0)])
    library.write(Step({named(2): "911\n", named(3): "912\n", named(4): "913\n"}, "rewritten"), onto=base)
    library.workdirs.remove("data", is_forced=True)
    library.fetch()
    assert imported(library, "history")["control"] == (1, 1)
    assert [(point.label, point.value) for point in points(library)] == [
        (named(1), 900.0),
        (named(2), 911.0),
        (named(3), 903.0),
        (named(4), 913.0),
    ]
    replaced = [(point.value, point.is_current) for point in points(library, with_replaced=True)]
    assert sorted(replaced) == [
        (900.0, True), (901.0, False), (902.0, False), (903.0, True), (911.0, True), (913.0, True)
    ]  # fmt: skip
    assert imported(library, "history")["control"] == (0, 0)


def test_numbers_of_every_metrics_json_and_of_every_snapshot_have_the_label_of_their_commit(library: Library) -> None:
    first = library.grow(Step({"metrics.json": '{"stars": 5, "rows": 1, "text": "x"}', "a.csv": "1\n2\n"}))
    second = library.grow(Step({"metrics.json": '{"stars": 6}'}), Step({"metrics.json": "{broken"}, "bad"))
    theirs = "sync\n\nMao-Tool: another\n"
    library.grow(Step({"metrics.json": '{"stars": 99}'}, theirs))
    found = imported(library, "history")
    assert found == {"bytes": (3, 0), "files": (3, 0), "rows": (3, 0), "stars": (2, 0), "text": (1, 0)}
    stars = points(library, "stars")
    assert [(point.value, point.reported) for point in stars] == [(5.0, "5"), (6.0, "6")]
    assert stars[0].label == f"commit-{first[:12]}"
    assert points(library, "files")[-1].label == f"commit-{second[:12]}"
    assert [point.value for point in points(library, "rows")] == [3.0, 1.0, 1.0]
    assert imported(library, "history") == dict.fromkeys(found, (0, 0))


def test_each_date_of_an_imported_commit_is_a_point_of_its_own(library: Library) -> None:
    library.grow(Step({f"data-2024-05-0{day}.csv": "x\n" * day for day in (1, 2, 3)}, "import"))
    assert imported(library, "history")["rows"] == (3, 0)
    assert [(point.value, point.measured_at.day) for point in points(library, "rows")] == [(1, 1), (2, 2), (3, 3)]


def test_a_commit_of_a_run_has_the_runs_label_so_that_it_is_one_point(library: Library) -> None:
    ended = datetime(2025, 3, 1, 12, tzinfo=UTC)
    ours = library.world.add(clone="data", metrics={"rows": 2.0, "duration_seconds": 3.5})
    theirs = library.world.add(clone="data", tool="another", metrics={"rows": 5.0})
    repeated = library.world.add(clone="data", metrics={"rows": 2.0}, replay_of=ours)
    for run_id in (ours, theirs, repeated):
        library.record(run_id, status=RunStatus.SUCCEEDED, ended_at=ended)
    for run_id, number in ((ours, 2), (theirs, 5)):
        library.record(run_id, output_commit=library.grow(Step({"a.csv": "x\n" * number, "b.csv": str(run_id)})))
    assert imported(library, "runs") == {"duration_seconds": (1, 0), "rows": (1, 0)}
    assert imported(library, "history") == {"bytes": (1, 0), "files": (1, 0), "rows": (0, 0)}
    [rows], [size] = points(library, "rows"), points(library, "bytes")
    assert (rows.label, rows.value, rows.run_id, rows.source) == (f"run-{ours}", 2.0, ours, "run")
    assert (size.label, size.measured_at, size.sort_key) == (f"run-{ours}", ended, rows.sort_key)
    assert imported(library, "runs") == {"duration_seconds": (0, 0), "rows": (0, 0)}


def test_the_tools_choice_holds_for_what_is_imported(library: Library) -> None:
    library.grow(*daily(range(195, 203)))
    body = {"tool": "spike", "clone": "data", "source": "history"}
    chosen = {"control": {"method": "rolling", "threshold_percent": 60}, "rows": False, "bytes": False, "files": False}
    answer = import_metrics(library.context, {**body, "metrics": chosen})
    assert answer["not_judged"] == ["bytes", "files", "rows"]
    stored = points(library)
    assert {point.status for point in stored[2:]} == {"ok"}, "a fall by half is less than 60 %"
    assert {point.verdict["method"] for point in stored} == {"rolling"}
    library.grow(Step({named(210): "1\n"}))
    with pytest.raises(Invalid, match="Did you mean 'threshold_percent'"):
        import_metrics(library.context, {**body, "metrics": {"control": {"method": "rolling", "treshold_percent": 1}}})
    assert len(points(library)) == len(stored)


def test_what_is_stored_is_the_past_of_what_is_imported_and_stays_as_it_is(library: Library) -> None:
    library.grow(*daily(range(20)))
    imported(library, "files")
    before = points(library)
    excluded = [point.id for point in before[-5:]]
    with library.world.database.transaction() as session:
        MetricRepository(session).set_standing(excluded, "excluded")
    library.grow(Step({named(20): "2000\n", named(21): "2000\n", named(22): "2000\n"}))
    assert imported(library, "files") == {"control": (3, 0)}
    after = points(library)
    assert [(point.id, point.verdict, point.status) for point in after[:20]] == [
        (point.id, point.verdict, point.status) for point in before
    ]
    assert [point.standing for point in after[15:20]] == ["excluded"] * 5
    assert after[20].status == "spike"


def test_an_import_while_a_run_is_judged_leaves_the_runs_point(library: Library) -> None:
    """Whoever stores first: the point of the run is the one that counts, and nothing is there twice."""
    library.grow(*daily(range(30)))
    has_stored, may_commit = threading.Event(), threading.Event()

    def run_ends() -> None:
        with library.world.database.transaction() as session:
            MetricRepository(session).add(CONTROL, [run_point(named(29), 1004.0)])
            has_stored.set()
            may_commit.wait()

    run = threading.Thread(target=run_ends)
    run.start()
    has_stored.wait()
    importing = threading.Thread(target=imported, args=(library, "files"))
    importing.start()
    importing.join(0.5)
    assert importing.is_alive(), "it waits for the run"
    may_commit.set()
    run.join()
    importing.join()
    assert [point.label for point in points(library)] == [named(day) for day in range(30)]
    [newest] = [point for point in points(library, with_replaced=True) if point.label == named(29)]
    assert (newest.source, newest.value) == ("run", 1004.0)


def test_an_import_that_dies_between_two_metrics_ends_the_same_when_repeated(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.grow(*daily(range(10)))
    add, calls = MetricRepository.add, 0

    def dying(self: MetricRepository, name: SeriesName, new: list[NewPoint]) -> None:
        nonlocal calls
        calls += 1
        add(self, name, new)
        if calls == 2:
            raise BackendFailed("The agent dies here.")

    with monkeypatch.context() as patch:
        patch.setattr(MetricRepository, "add", dying)
        with pytest.raises(BackendFailed):
            imported(library, "history")
    assert len(points(library, "bytes")) == 10
    assert points(library) == []
    assert imported(library, "history") == {"bytes": (0, 0), "control": (10, 0), "files": (10, 0), "rows": (10, 0)}


@pytest.fixture
def service(library: Library) -> Iterator[MetricImportService]:
    """What the API asks, with an agent that answers."""
    answering, is_over = Answering(library.context, ANSWERERS), threading.Event()

    def answer() -> None:
        while not is_over.wait(0.02):
            answering.work()

    agent = threading.Thread(target=answer)
    agent.start()
    database = library.world.database
    yield MetricImportService(database, Registry(MemoryKv()), QuestionService(database))
    is_over.set()
    agent.join()


def test_the_api_gets_the_count_from_the_agent(library: Library, service: MetricImportService) -> None:
    library.grow(*daily(range(4)))
    with pytest.raises(NotFound, match="not registered"):
        service.request("spike", "files")
    found = service.request("spike", "files", "data")
    count = {"metric": "control", "found": 4, "added": 4, "changed": 0, "left_out": 0}
    assert (found["metrics"], found["is_complete"]) == ([count], True)
    library.write(*daily(range(4, 6)), onto=git("rev-parse", "main", cwd=library.bare))
    library.fetch()
    found = service.request("spike", "history")
    assert {count["metric"]: count["added"] for count in found["metrics"]}["control"] == 2
    assert found["is_complete"] is False, "the commits were not looked at yet"


def test_a_repository_without_commits_has_nothing_to_import(library: Library) -> None:
    library.grow(Step({"README": "about"}))
    assert imported(library, "files") == {}
    assert imported(library, "runs") == {}


def test_what_a_person_decided_about_a_number_survives_an_import_of_another_one(library: Library) -> None:
    library.grow(*daily(range(10)))
    imported(library, "files")
    decided, undone = points(library)[-2:]
    with library.world.database.transaction() as session:
        MetricRepository(session).set_standing([decided.id], "excluded")
        decisions = MetricDecisionRepository(session)
        for point in (decided, undone):
            values = {"tool": "spike", "kind": "reject", "actor": "olga", "why": "wrong", "decided_at": utc_now()}
            made = decisions.add(MetricDecision(points=[point.id], **values))
        decisions.undo(made.id, "olga", "right after all", utc_now())
    library.grow(Step({named(8): "77\n", named(9): "78\n"}))
    assert imported(library, "files") == {"control": (0, 1)}
    kept, changed = points(library)[-2:]
    assert (kept.id, kept.value, kept.standing) == (decided.id, value(8), "excluded")
    assert changed.value == 78.0


def test_a_commit_of_a_run_that_is_not_over_waits_for_its_record(library: Library) -> None:
    """Else it would be there twice, as a commit and as a run."""
    library.grow(Step({"metrics.json": '{"stars": 5}'}, at=int(DAY.timestamp())))
    began = DAY + timedelta(days=1, microseconds=7)
    run = library.world.add(clone="data")
    library.record(run, status=RunStatus.RUNNING, submitted_at=began)
    theirs = Step({"metrics.json": '{"stars": 6}', "control-1.csv": "1\n"}, at=int(began.timestamp()))
    commit = library.grow(theirs)
    assert imported(library, "history")["stars"] == (1, 0)
    assert [point.value for point in points(library, "stars")] == [5.0]
    library.record(run, status=RunStatus.SUCCEEDED, ended_at=began + timedelta(hours=1), output_commit=commit)
    assert imported(library, "history")["stars"] == (1, 0)
    assert [(point.value, point.label) for point in points(library, "stars")][1:] == [(6.0, f"run-{run}")]


def test_of_too_many_metrics_the_known_and_the_newest_are_taken_and_the_others_told(library: Library) -> None:
    old = [Step({"metrics.json": json.dumps({f"m{part}-{n}": n for n in range(50)})}) for part in range(4)]
    library.grow(*old, Step({"metrics.json": '{"newest": 1}'}))
    body = {"tool": "spike", "clone": "data", "source": "history", "metrics": {}}
    answer = import_metrics(library.context, body)
    taken = {count["metric"] for count in answer["metrics"]}
    assert (len(taken), answer["left_out_metrics"], answer["waiting_metrics"]) == (200, 4, 0)
    assert {"newest", "rows", "files", "bytes", "m3-1"} <= taken
    library.grow(Step({"metrics.json": '{"newest": 2, "later": 1}'}))
    again = import_metrics(library.context, body)
    assert {count["metric"] for count in again["metrics"]} == taken
    assert (sum(count["added"] for count in again["metrics"]), again["left_out_metrics"]) == (4, 5)


def test_an_import_whose_time_is_over_stores_what_it_has_and_is_gone_on_with(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.grow(*daily(range(3)))
    body = {"tool": "spike", "clone": "data", "source": "history", "metrics": {}}
    with pytest.raises(BackendFailed, match="in time"):
        in_history(library.context, "spike", "data", end=0.0)
    found = in_history(library.context, "spike", "data", end=math.inf)
    readers = {"history": lambda *_: found}
    monkeypatch.setattr(metric_imports, "_READERS", readers)
    monkeypatch.setattr(metric_imports, "_SECONDS", -1.0)
    waiting = [import_metrics(library.context, body)["waiting_metrics"] for _ in range(5)]
    assert waiting == [3, 2, 1, 0, 0]
    assert {metric: len(points(library, metric)) for metric in found} == dict.fromkeys(found, 3)


def test_the_permitted_false_alarms_are_shared_among_what_the_newest_commit_reports(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not among every metric that there ever was."""
    steps = [Step({"metrics.json": json.dumps({f"old-{n}": n for n in range(20)}), named(0): "1\n"})]
    library.grow(*steps, Step({"metrics.json": '{"new": 1}', named(1): "2\n"}))
    given: dict[str, float] = {}

    def watched(name: SeriesName, stored: Any, new: Any, choice: Any, share: float) -> Any:
        given[name.metric] = share
        return judge_reported(name, stored, new, choice, share)

    monkeypatch.setattr(metric_imports, "judge_reported", watched)
    imported(library, "history")
    expected = shares(bare_entry("spike"), ["control", "new", "rows", "files", "bytes"])
    assert {metric: given[metric] for metric in expected} == expected


def test_what_is_no_name_of_a_tool_is_refused(service: MetricImportService) -> None:
    with pytest.raises(Invalid, match="is not a name"):
        service.request("../x" * 100, "files", "data")


def test_calls_of_one_request_get_one_answer_and_another_one_its_own(
    library: Library, service: MetricImportService
) -> None:
    library.grow(*daily(range(4)))
    added = [service.request("spike", "files", "data", request)["metrics"][0]["added"] for request in ("a", "a", "b")]
    assert added == [4, 4, 0]


def test_a_label_of_any_length_is_imported(library: Library) -> None:
    name = "control-" + "".join(f"é{number}" for number in range(1000)) + ".csv"
    library.grow(Step({name: "5\n"}), Step({name: None, named(1): "6\n"}))
    assert imported(library, "history")["control"] == (2, 0)
    assert imported(library, "history")["control"] == (0, 0)
