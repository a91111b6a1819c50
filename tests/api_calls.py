"""Every call that the API describes, with a request for it that is sensible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

METHODS = ("get", "put", "post", "patch", "delete")
UNDESCRIBED = ("/api/openapi.json", "/api/docs", "/api/docs/start.js", "/api/docs/swagger-ui.css")
"""What the API serves beside what its description names: the description itself."""

TOOL = {
    "name": "spike",
    "author": "olga",
    "image": "busybox:latest",
    "data_repo": "",
    "code_repo": "https://git.example.org/code/spike",
    "artefact": "",
}
PLACES = {"name": "spike", "run_id": "1", "job_id": "spike", "identifier": "laptop"}
_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("post", "/api/tools"): TOOL,
    ("put", "/api/tools/{name}"): TOOL,
    ("post", "/api/runs"): {"jobSpec": {"tool": "spike"}},
    ("post", "/api/jobs"): {"tool": "spike", "schedule": "daily"},
    ("post", "/api/datasets"): {"name": "series", "url": "https://git.example.org/data/series.git"},
    ("put", "/api/datasets/{name}"): {"url": "https://git.example.org/data/series.git"},
    ("post", "/api/security/tokens/{identifier}"): {"permissions": ["job_submit"]},
}


@dataclass(frozen=True)
class Operation:
    """One method of one address, as the API describes it."""

    method: str
    template: str
    places: dict[str, dict[str, Any]]
    query: dict[str, dict[str, Any]]
    body: dict[str, Any] | None
    """The schema of its JSON, every reference resolved; None where it takes none."""
    media_type: str | None
    examples: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.template}"

    def path(self, **given: str) -> str:
        """Give the address, with what is not given filled in."""
        known = {**PLACES, **({"name": "series"} if "/datasets/" in self.template else {}), **given}
        return self.template.format(**{place: known.get(place, "1") for place in self.places})

    def json(self) -> Any:
        """Give a body that the call takes, or None where it takes no JSON."""
        if self.body is None:
            return None
        known = _BODIES.get((self.method, self.template))
        return known if known is not None else self.examples or sample(self.body)


def operations(description: Mapping[str, Any]) -> list[Operation]:
    """Read the calls from a description in OpenAPI; what changes things comes last, removals after all."""
    found = [
        _operation(description, method, template, item)
        for template, item in description["paths"].items()
        for method in METHODS
        if method in item
    ]
    return sorted(found, key=lambda operation: METHODS.index(operation.method))


def sample(schema: Mapping[str, Any]) -> Any:
    """Give a small value that the schema allows, without what may be left out."""
    if "example" in schema:
        return schema["example"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        members = schema.get("properties", {})
        return {name: sample(members[name]) for name in schema.get("required", [])}
    if kind == "array":
        return [sample(schema["items"])]
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 1), 1)
    if kind == "boolean":
        return True
    return "2030-01-01T00:00:00Z" if schema.get("format") == "date-time" else "spike"


def fields_of(
    schema: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Give every named member of a schema, at any depth, with the way to it."""
    for name, member in schema.get("properties", {}).items():
        yield (*path, name), member
        yield from fields_of(member, (*path, name))


def _operation(description: Mapping[str, Any], method: str, template: str, item: Mapping[str, Any]) -> Operation:
    call = item[method]
    parameters = [_resolved(description, one) for one in [*item.get("parameters", []), *call.get("parameters", [])]]
    by_place = {
        place: {one["name"]: one["schema"] for one in parameters if one["in"] == place} for place in ("path", "query")
    }
    content = call.get("requestBody", {}).get("content", {})
    media_type = "application/json" if "application/json" in content else next(iter(content), None)
    as_json = content.get("application/json", {})
    body = _resolved(description, as_json["schema"]) if "schema" in as_json else None
    return Operation(
        method, template, by_place["path"], by_place["query"], body, media_type, as_json.get("example", {})
    )


def _resolved(description: Mapping[str, Any], node: Any) -> Any:
    if isinstance(node, list):
        return [_resolved(description, one) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target: Any = description
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return _resolved(description, target)
    if len(node.get("allOf", [])) == 1:
        # A reference that has a description beside it.
        return {**_resolved(description, node["allOf"][0]), **{key: node[key] for key in node.keys() - {"allOf"}}}
    return {key: _resolved(description, value) for key, value in node.items()}
