"""A crate obeys RO-Crate 1.1 and the Process Run Crate profile 0.5, rule by rule, for a run in every state."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.models.run import FINAL, Cause, Run, RunStatus
from app.repositories.outputs import StoredOutput
from app.services.crates import crate_of
from app.services.passports import passport_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET = "hunter2-marked"
ENTRY: dict[str, Any] = {
    "name": "visitors",
    "image": "host:5000/group/visitors:1",
    "data_repo": "visitors-data",
    "code_repo": "https://example.org/visitors",
    "description": "Counts visitors.",
    "env": {"KEY": SECRET},
    "publish": "commit",
}
CONDITIONS: dict[str, Any] = {
    "attempt": 1,
    "version": "0.3.0",
    "operator": "panos",
    "engineVersion": "20.10",
    "image": "host:5000/group/visitors:1",
    "imageId": "sha256:" + "f" * 64,
    "command": ["/collect", "--all"],
    "env": ["KEY", "MAO_DATE"],
    "files": [{"name": "sources.csv", "sha256": "1" * 64, "sizeBytes": 25}],
    "secrets": ["password"],
    "limits": {"memoryMb": 1024, "cpus": 1.0, "pids": 256, "timeoutSeconds": 60},
    "network": "none",
    "user": "",
    "inputTree": "c" * 40,
    "isInputUncommitted": False,
}
INPUT, BEFORE, OUTPUT = "b" * 40, "c" * 40, "d" * 40
DATA = {"input_commit": INPUT, "baseline_tree": BEFORE, "output_commit": OUTPUT, "output_tree": "e" * 40}


def a_run(status: str = "SUCCEEDED", **changes: Any) -> Run:
    is_over = status in FINAL
    known = {
        "id": 12,
        "tool": "visitors",
        "tool_entry": ENTRY,
        "parameters": {"env": {"OTHER": SECRET}},
        "status": status,
        "cause": Cause.OK if status == "SUCCEEDED" else Cause.TOOL_ERROR if is_over else None,
        "message": "Exit code 1." if is_over and status != "SUCCEEDED" else None,
        "description": "",
        "labels": {},
        "warnings": [],
        "metrics": {},
        "locks": [],
        "submitter": "laptop",
        "owner": "archive-group",
        "backend": "docker",
        "profile": "standard",
        "defined_at": NOON,
        "started_at": NOON + timedelta(seconds=1),
        "ended_at": NOON + timedelta(minutes=1) if is_over else None,
        "image_digest": "sha256:" + "a" * 64,
        "data_url": "https://example.org/data",
        "conditions": CONDITIONS,
    }
    return Run(**{**known, **DATA, **changes})


def crate(status: str = "SUCCEEDED", **changes: Any) -> dict[str, Any]:
    output = StoredOutput(3, "9" * 64, is_cut=False) if status in FINAL else None
    return crate_of(passport_of(a_run(status, **changes), [], output))


def entities(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entity["@id"]: entity for entity in document["@graph"]}


def references(value: Any) -> list[str]:
    """Give what a value refers to by ``@id``."""
    if isinstance(value, list):
        return [found for inner in value for found in references(inner)]
    return [value["@id"]] if isinstance(value, dict) else []


EARLIER = {"conditions": None, "image_digest": None, "tool_entry": None, **dict.fromkeys(DATA), "data_url": None}
EVERY = [
    *(pytest.param(crate(status), id=status) for status in RunStatus),
    pytest.param(crate(**EARLIER), id="of an earlier version"),
    pytest.param(crate(backend="process", image_digest=None), id="without an image"),
]
every_crate = pytest.mark.parametrize("document", EVERY)


# RO-Crate 1.1.


@every_crate
def test_it_is_a_flat_document_with_the_contexts_of_both(document: dict[str, Any]) -> None:
    assert document["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    assert document["@context"][1] == "https://w3id.org/ro/terms/workflow-run/context"
    assert document.keys() == {"@context", "@graph"}
    for entity in document["@graph"]:
        nested = [
            key for key, value in entity.items() for part in _all(value) if isinstance(part, dict) and len(part) > 1
        ]
        assert not nested, "an entity holds another one instead of its @id"
    json.dumps(document, allow_nan=False)


def _all(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@every_crate
def test_every_entity_has_a_type_and_an_id_of_its_own(document: dict[str, Any]) -> None:
    ids = [entity["@id"] for entity in document["@graph"]]
    assert len(set(ids)) == len(ids)
    assert all(entity["@type"] for entity in document["@graph"])


@every_crate
def test_the_descriptor_is_about_the_root_and_names_the_specification(document: dict[str, Any]) -> None:
    descriptor = entities(document)["ro-crate-metadata.json"]
    assert descriptor["@type"] == "CreativeWork"
    assert references(descriptor["about"]) == ["./"]
    assert references(descriptor["conformsTo"]) == ["https://w3id.org/ro/crate/1.1"]


@every_crate
def test_the_root_has_what_every_root_must_have(document: dict[str, Any]) -> None:
    root = entities(document)["./"]
    assert root["@type"] == "Dataset"
    assert root["name"] and root["description"]
    assert datetime.fromisoformat(root["datePublished"]).tzinfo is not None
    [licence] = references(root["license"])
    assert entities(document)[licence]["name"] == "Unknown"
    [author] = references(root["author"])
    assert entities(document)[author]["@type"] == "Organization"


@every_crate
def test_all_data_are_parts_of_the_root_and_named_by_absolute_uris(document: dict[str, Any]) -> None:
    known = entities(document)
    data = {entity for entity, about in known.items() if about["@type"] in ("Dataset", "File")} - {"./"}
    assert set(references(known["./"].get("hasPart", []))) == data
    assert all(re.fullmatch(r"[a-z]+:\S+", name) for name in data)


@every_crate
def test_whatever_is_referred_to_is_described(document: dict[str, Any]) -> None:
    known = entities(document)
    outside = {"https://w3id.org/ro/crate/1.1", "https://w3id.org/ro/terms/workflow-run#DockerImage"}
    for entity in document["@graph"]:
        told = {found for value in entity.values() for found in references(value)}
        assert told <= known.keys() | outside, entity["@id"]


# Process Run Crate 0.5.


@every_crate
def test_the_root_conforms_to_the_profile_and_mentions_the_action(document: dict[str, Any]) -> None:
    known = entities(document)
    [profile] = references(known["./"]["conformsTo"])
    assert profile == "https://w3id.org/ro/wfrun/process/0.5"
    assert known[profile]["@type"] == "CreativeWork"
    assert references(known["./"]["mentions"]) == ["#run-12"]


@every_crate
def test_the_action_has_a_tool_and_an_agent(document: dict[str, Any]) -> None:
    known = entities(document)
    action = known["#run-12"]
    assert action["@type"] == "CreateAction"
    assert action["name"] and action["description"]
    [tool] = references(action["instrument"])
    assert known[tool]["@type"] == "SoftwareApplication"
    assert known[tool]["name"] == "visitors"
    [agent] = references(action["agent"])
    assert known[agent] == {"@id": "#owner", "@type": "Organization", "name": "archive-group"}


@pytest.mark.parametrize("status", RunStatus)
def test_status_and_error_say_how_it_went(status: RunStatus) -> None:
    action = entities(crate(status))["#run-12"]
    expected = {
        RunStatus.SUCCEEDED: "Completed",
        RunStatus.DEFINED: "Potential",
        RunStatus.WAITING_LOCKS: "Potential",
        RunStatus.FAILED: "Failed",
        RunStatus.ABORTED: "Failed",
        RunStatus.IN_DOUBT: "Failed",
    }.get(status, "Active")
    assert action["actionStatus"] == f"http://schema.org/{expected}ActionStatus"
    assert ("error" in action) == (expected == "Failed")
    assert ("endTime" in action) == (status in FINAL)
    if expected == "Failed":
        assert action["error"] == f"{status}: tool_error: Exit code 1."


def test_the_image_is_told_by_registry_name_tag_and_digest() -> None:
    known = entities(crate())
    [image] = references(known["#run-12"]["containerImage"])
    assert known[image] == {
        "@id": "#image",
        "@type": "ContainerImage",
        "additionalType": {"@id": "https://w3id.org/ro/terms/workflow-run#DockerImage"},
        "registry": "host:5000",
        "name": "group/visitors",
        "tag": "1",
        "sha256": "a" * 64,
        "identifier": "sha256:" + "f" * 64,
    }


@pytest.mark.parametrize(
    ("name", "registry", "repository", "tag"),
    [
        ("visitors", "docker.io", "visitors", "latest"),
        ("panosece/spike:2", "docker.io", "panosece/spike", "2"),
        ("localhost/a/b", "localhost", "a/b", "latest"),
        (f"ghcr.io/a/b@sha256:{'a' * 64}", "ghcr.io", "a/b", None),
    ],
)
def test_an_image_has_the_registry_that_the_engine_would_ask(
    name: str, registry: str, repository: str, tag: str | None
) -> None:
    image = entities(crate(conditions={**CONDITIONS, "image": name}))["#image"]
    assert (image["registry"], image["name"], image.get("tag")) == (registry, repository, tag)


def test_data_before_and_after_are_named_by_the_ids_of_git() -> None:
    known = entities(crate())
    assert f"swh:1:rev:{INPUT}" in references(known["#run-12"]["object"])
    assert f"swh:1:rev:{OUTPUT}" in references(known["#run-12"]["result"])
    assert known[f"swh:1:rev:{OUTPUT}"]["url"] == "https://example.org/data"


def test_data_that_nobody_had_committed_are_named_by_their_tree() -> None:
    known = entities(crate(conditions={**CONDITIONS, "isInputUncommitted": True}, output_commit=None))
    assert f"swh:1:dir:{BEFORE}" in references(known["#run-12"]["object"])
    assert f"swh:1:rev:{INPUT}" not in known
    assert f"swh:1:dir:{'e' * 40}" in references(known["#run-12"]["result"])


def test_what_was_uploaded_printed_and_set_is_told() -> None:
    known = entities(crate())
    assert known["#file-sources.csv"]["sha256"] == "1" * 64
    assert known["#output"] | {"name": ""} == {
        "@id": "#output",
        "@type": "CreativeWork",
        "name": "",
        "contentSize": "3",
        "sha256": "9" * 64,
    }
    assert known["#setting-memoryMb"]["value"] == 1024
    assert references(known["#run-12"]["environment"]) == ["#env-KEY", "#env-MAO_DATE"]


@every_crate
def test_no_value_of_a_variable_is_in_it(document: dict[str, Any]) -> None:
    assert SECRET not in json.dumps(document)
    variables = [entity for entity in document["@graph"] if entity["@id"].startswith("#env-")]
    assert all("value" not in variable for variable in variables)


def test_no_value_of_a_variable_is_in_the_passport() -> None:
    passport = passport_of(a_run(), [], None)
    assert SECRET not in repr(passport)
    assert passport["tool"]["entry"]["env"] == ["KEY"]


def test_a_run_from_before_there_were_conditions_has_what_it_has() -> None:
    passport = passport_of(a_run(conditions=None), [], None)
    assert passport["image"] == {"name": ENTRY["image"], "digest": "sha256:" + "a" * 64, "id": None}
    assert passport["place"]["backend"] == "docker"
    assert passport["place"]["version"] is None
    assert passport["started_with"]["command"] is None
    assert passport["input"]["commit"] == INPUT
    assert passport["input"]["is_uncommitted"] is None
