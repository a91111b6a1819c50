"""How long API and agent take from being started to being of use, with the databases already there."""

from __future__ import annotations

import time

import psycopg2

from benchmarks.engine import Engine
from benchmarks.figures import heading, spread, spread_heading
from benchmarks.product import SYSTEMS, Product

STARTS = 7
_GOAL_SECONDS = 3


def measure(product: Product, _: Engine) -> None:
    """Start both processes again and again; each time no agent has ever been seen."""
    alive: list[float] = []
    ready: list[float] = []
    complete: list[float] = []
    for _number in range(STARTS):
        _forget_agents(product)
        began = time.perf_counter()
        product.start_processes()
        try:
            product.until_alive()
            alive.append(time.perf_counter() - began)
            product.until_up(*SYSTEMS)
            ready.append(time.perf_counter() - began)
            product.until_up("docker")
            complete.append(time.perf_counter() - began)
        finally:
            product.stop_processes()
    heading(f"start-up of API and agent: {STARTS} times; goal {_GOAL_SECONDS} s until the agent lives")
    spread_heading()
    spread("until /healthz answers", alive)
    spread("until /readyz shows a living agent", ready)
    spread("until it shows the container engine too", complete)


def _forget_agents(product: Product) -> None:
    # The sign of life of the agent before would count for a quarter of a minute.
    connection = psycopg2.connect(product.settings.database_url.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute("delete from agents")
    connection.close()
