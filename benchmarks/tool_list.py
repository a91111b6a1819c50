"""How long it takes to read a large registry."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.models.tool import Tool
from app.repositories.etcd import EtcdKv
from app.repositories.registry import Registry
from benchmarks.client import Client
from benchmarks.engine import Engine
from benchmarks.figures import heading, spread, spread_heading
from benchmarks.product import Product

TOOLS = 2_000
_READINGS = 10
_PAGE = 500


def measure(product: Product, _: Engine) -> None:
    """Fill the registry, and read it directly and through the API."""
    registry = Registry(EtcdKv(product.settings.etcd))
    tools = [_tool(number) for number in range(TOOLS)]
    revisions = [registry.add_tool(tool) for tool in tools]
    heading(f"a registry of {TOOLS} tools: {_READINGS} times each")
    spread_heading()
    with product.running() as client:
        spread("one tool from etcd", _times(lambda: registry.get_tool(tools[-1].name)))
        spread("all tools from etcd", _times(lambda: registry.list_tools(limit=TOOLS + 1)))
        spread("all tools through the API", _times(lambda: _read_pages(client)))
        spread("one page of 100 through the API", _times(lambda: client.get("/api/tools")))
    for tool, revision in zip(tools, revisions, strict=True):
        registry.remove_tool(tool.name, revision)


def _tool(number: int) -> Tool:
    return Tool(
        name=f"tool-{number:05}",
        author="bench",
        image="registry.example/collector:1",
        data_repo="https://git.example/data.git",
        code_repo="https://git.example/code",
        artefact="docker",
        description="Counts something every day, and says so in a sentence of about this length.",
        owner="bench",
    )


def _read_pages(client: Client) -> None:
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"/api/tools?limit={_PAGE}" + (f"&cursor={cursor}" if cursor else ""))
        cursor = page["next"]


def _times(read: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(_READINGS):
        began = time.perf_counter()
        read()
        times.append(time.perf_counter() - began)
    return times
