"""A run's passport as an RO-Crate: JSON-LD by the RO-Crate 1.1 specification and the Process Run Crate profile 0.5.

The run is an action: by whom, with which tool and image, on which data, with which result. Data are named by SWHIDs,
which are git's own ids of a commit or tree, so that whoever has the data can tell that it is these. The crate says
what the passport says, and so no value of a variable and no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from app.executors.images import split_reference
from app.models.run import FINAL, WAITING, RunStatus

Entity = dict[str, Any]

CRATE = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
TERMS = "https://w3id.org/ro/terms/workflow-run"
_SHA1 = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_DEFAULT_REGISTRY = "docker.io"


def crate_of(passport: Mapping[str, Any]) -> Entity:
    """Give the crate of a passport, JSON-ready."""
    action, around = _action(passport), list(_around(passport))
    entities = [_descriptor(), _root(passport, action, around), _profile(), _licence(), action, *around]
    return {"@context": [f"{CRATE}/context", f"{TERMS}/context"], "@graph": [_given(entity) for entity in entities]}


def _descriptor() -> Entity:
    return {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": _to(CRATE),
        "about": _to("./"),
    }


def _root(passport: Mapping[str, Any], action: Entity, around: Iterable[Entity]) -> Entity:
    published = passport["end_time"] or passport["defined_time"]
    return {
        "@id": "./",
        "@type": "Dataset",
        "conformsTo": _to(PROFILE),
        "name": f"Run {passport['run_id']} of {passport['tool']['name']}",
        "description": passport["description"] or f"What run {passport['run_id']} was started with, and what it made.",
        "datePublished": _time(published),
        "license": _to("#licence"),
        "author": _to("#operator") if passport["place"]["operator"] else _to("#owner"),
        "mentions": _to(action["@id"]),
        "hasPart": [_to(entity["@id"]) for entity in around if entity["@type"] == "Dataset"],
    }


def _profile() -> Entity:
    return {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}


def _licence() -> Entity:
    about = "The licence of the data is not recorded here; ask the owner of the data set."
    return {"@id": "#licence", "@type": "CreativeWork", "name": "Unknown", "description": about}


def _action(passport: Mapping[str, Any]) -> Entity:
    command = passport["started_with"]["command"]
    status = _status(passport)
    return {
        "@id": f"#run-{passport['run_id']}",
        "@type": "CreateAction",
        "name": f"Run {passport['run_id']} of {passport['tool']['name']}",
        "description": f"Command: {' '.join(command)}" if command else "The command is that of the image.",
        "startTime": _time(passport["start_time"]),
        "endTime": _time(passport["end_time"]),
        "agent": _to("#owner"),
        "instrument": _to("#tool"),
        "containerImage": _to("#image") if _has_image(passport) else None,
        "object": [_to(entity["@id"]) for entity in _objects(passport)],
        "result": [_to(entity["@id"]) for entity in _results(passport)],
        "environment": [_to(entity["@id"]) for entity in _environment(passport)],
        "actionStatus": f"http://schema.org/{status}",
        "error": _error(passport) if status == "FailedActionStatus" else None,
    }


def _around(passport: Mapping[str, Any]) -> Iterator[Entity]:
    """Give what the action refers to, each once: a run that changed nothing has one and the same data twice."""
    yield {"@id": "#owner", "@type": "Organization", "name": passport["owner"]}
    if passport["place"]["operator"]:
        yield {"@id": "#operator", "@type": "Organization", "name": passport["place"]["operator"]}
    yield _application(passport)
    if _has_image(passport):
        yield _image(passport["image"])
    data = [*_objects(passport), *_results(passport), *_environment(passport)]
    yield from {entity["@id"]: entity for entity in data}.values()


def _application(passport: Mapping[str, Any]) -> Entity:
    entry = passport["tool"]["entry"] or {}
    version = passport["tool"]["definition_commit"] or passport["image"]["digest"] or passport["image"]["name"]
    return {
        "@id": "#tool",
        "@type": "SoftwareApplication",
        "name": passport["tool"]["name"],
        "description": entry.get("description"),
        "url": entry.get("code_repo"),
        "softwareVersion": version,
    }


def _has_image(passport: Mapping[str, Any]) -> bool:
    return bool(passport["image"]["digest"])


def _image(image: Mapping[str, Any]) -> Entity:
    repository, version = split_reference(image["name"] or "")
    first, slash, rest = repository.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    digest = _DIGEST.fullmatch(image["digest"])
    return {
        "@id": "#image",
        "@type": "ContainerImage",
        "additionalType": _to(f"{TERMS}#DockerImage"),
        "registry": first if has_host else _DEFAULT_REGISTRY,
        "name": rest if has_host else repository,
        "tag": None if version.startswith("sha256:") else version,
        "sha256": digest[1] if digest else None,
        "identifier": image["id"],
    }


def _objects(passport: Mapping[str, Any]) -> list[Entity]:
    """Give what the tool found: its data, the files that were uploaded for it, and what it was confined by."""
    start, found = passport["started_with"], passport["input"]
    files = [
        {
            "@id": f"#file-{file['name']}",
            "@type": "CreativeWork",
            "name": file["name"],
            "contentSize": str(file["sizeBytes"]),
            "sha256": file["sha256"],
        }
        for file in start["files"] or []
    ]
    # What was not committed has an id of its own: that of the tree which was there.
    commit = None if found["is_uncommitted"] else found["commit"]
    return [*_data(passport, "before the run", commit, found["tree"]), *files, *_settings(passport)]


def _results(passport: Mapping[str, Any]) -> list[Entity]:
    output, made = passport["output"], passport["result"]
    printed = {
        "@id": "#output",
        "@type": "CreativeWork",
        "name": "What the tool printed",
        "contentSize": str(output["size_bytes"]),
        "sha256": output["sha256"],
    }
    return [*_data(passport, "after the run", made["commit"], made["tree"]), *([printed] if output["sha256"] else [])]


def _data(passport: Mapping[str, Any], when: str, commit: str | None, tree: str | None) -> list[Entity]:
    kind, name = ("rev", commit) if commit else ("dir", tree)
    if not name:
        return []
    found = passport["input"]
    return [
        {
            # Only ids by SHA-1 have a SWHID.
            "@id": f"swh:1:{kind}:{name}" if _SHA1.fullmatch(name) else f"#data-{name}",
            "@type": "Dataset",
            "name": f"{found['dataset'] or passport['tool']['name']} {when}",
            "identifier": name,
            "url": found["url"],
        }
    ]


def _settings(passport: Mapping[str, Any]) -> list[Entity]:
    start, place = passport["started_with"], passport["place"]
    settings = {
        "backend": place["backend"],
        "engineVersion": place["engine_version"],
        "maoVersion": place["version"],
        "node": place["node"],
        **{name: start[name] for name in ("profile", "network", "user")},
        **(start["limits"] or {}),
    }
    known = {name: value for name, value in settings.items() if value not in (None, "")}
    return [
        {"@id": f"#setting-{name}", "@type": "PropertyValue", "name": name, "value": value}
        for name, value in known.items()
    ]


def _environment(passport: Mapping[str, Any]) -> list[Entity]:
    about = "That it was set is recorded, its value is not."
    return [
        {"@id": f"#env-{name}", "@type": "PropertyValue", "name": name, "description": about}
        for name in passport["started_with"]["env"] or []
    ]


def _status(passport: Mapping[str, Any]) -> str:
    status = RunStatus(passport["status"])
    if status in FINAL:
        # One in doubt is not shown as done: readers take an action without a status for a success.
        return "CompletedActionStatus" if status is RunStatus.SUCCEEDED else "FailedActionStatus"
    return "PotentialActionStatus" if status in WAITING else "ActiveActionStatus"


def _error(passport: Mapping[str, Any]) -> str:
    parts = (passport["status"], passport["cause"], passport["message"])
    return ": ".join(str(part) for part in parts if part)


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _to(entity_id: str) -> Entity:
    return {"@id": entity_id}


def _given(entity: Entity) -> Entity:
    """Leave out what is not known."""
    return {key: value for key, value in entity.items() if value not in (None, "", [])}
