"""Whatever is down, frozen or silent: every route answers within ten seconds in words, and all is well afterwards."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from app.factory import create_app
from tests.integration.outages.site import Site, summary
from tests.integration.outages.trio import Trio

pytestmark = pytest.mark.long

RECOVERY_SECONDS = 30.0
Outage = Callable[[Site], AbstractContextManager[None]]


@contextmanager
def postgres_stopped(site: Site) -> Iterator[None]:
    site.stop_postgres_at_once()
    yield
    site.start_postgres_again()


def postgres_frozen(site: Site) -> AbstractContextManager[None]:
    return site.frozen(site.postgres.pid)


def postgres_silent(site: Site) -> AbstractContextManager[None]:
    return site.swallowed("postgres")


@contextmanager
def postgres_cut_again_and_again(site: Site) -> Iterator[None]:
    with ThreadPoolExecutor(1) as pool:
        is_over = False

        def cut() -> None:
            while not is_over:
                site.proxies["postgres"].cut()
                time.sleep(0.1)

        cutting = pool.submit(cut)
        yield
        is_over = True
        cutting.result()


@contextmanager
def postgres_with_a_locked_table(site: Site) -> Iterator[None]:
    with closing(psycopg2.connect(site.settings.database_url.replace("+psycopg2", ""))) as connection:
        with connection.cursor() as cursor:
            cursor.execute("lock table runs")
        yield


@contextmanager
def postgres_without_connections(site: Site) -> Iterator[None]:
    through = site.settings.database_url.replace("+psycopg2", "")
    direct = through.replace(site.proxies["postgres"].address, site.postgres.address)
    with ExitStack() as taken:
        # The second round takes those that the API had.
        for _ in range(2):
            with pytest.raises(psycopg2.OperationalError, match="too many clients"):
                while True:
                    taken.callback(psycopg2.connect(direct).close)
            site.proxies["postgres"].cut()
        yield


@contextmanager
def etcd_stopped(site: Site) -> Iterator[None]:
    site.kill_etcd()
    yield
    site.restart_etcd()


def etcd_frozen(site: Site) -> AbstractContextManager[None]:
    return site.frozen(site.etcd.pid)


def etcd_silent(site: Site) -> AbstractContextManager[None]:
    return site.swallowed("etcd-0")


@contextmanager
def both_frozen(site: Site) -> Iterator[None]:
    with postgres_frozen(site), etcd_frozen(site):
        yield


@contextmanager
def neither_agent_nor_engine(_: Site) -> Iterator[None]:
    yield


OUTAGES: list[Outage] = [
    postgres_stopped,
    postgres_frozen,
    postgres_silent,
    postgres_cut_again_and_again,
    postgres_with_a_locked_table,
    postgres_without_connections,
    etcd_stopped,
    etcd_frozen,
    etcd_silent,
    both_frozen,
    neither_agent_nor_engine,
]


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_every_route_answers_in_time_and_recovers(site: Site, outage: Outage) -> None:
    assert site.seed()
    before = site.reads()
    with outage(site):
        answers = [answer for _ in range(2) for answer in site.walk()]
    print(summary(outage.__name__, answers))
    sins = [answer.sin for answer in answers if answer.sin]
    assert not sins, sins
    wait_until_well(site, before)


def test_a_crowd_of_calls_to_a_frozen_database_is_answered_in_time_too(site: Site) -> None:
    assert site.seed()
    before = site.reads()
    with site.frozen(site.postgres.pid), ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: site.timed("GET", "/api/runs"), range(300)))
        alive = site.timed("GET", "/healthz")
    print(summary("a crowd", answers))
    assert [answer.sin for answer in answers if answer.sin] == []
    assert {answer.status for answer in answers} == {503}
    assert alive.status == 200
    wait_until_well(site, before)


def test_a_registry_without_a_quorum_is_named_and_found_again(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="mao-quorum-"))
    folder.chmod(0o755)
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        trio = Trio(tmp_path)
        ending.callback(trio.stop)
        site = Site(folder, trio.addresses)
        ending.callback(site.close)
        assert site.seed()
        before = site.reads()
        trio.lose_the_quorum()
        answers = site.walk()
        print(summary("no quorum", answers))
        trio.regain_the_quorum()
        assert [answer.sin for answer in answers if answer.sin] == []
        assert "etcd" in next(answer.text for answer in answers if answer.call == "GET /api/tools/spike")
        wait_until_well(site, before)


def test_every_address_of_the_product_is_walked(site: Site) -> None:
    walked = {answer.call.split("?")[0] for answer in site.healthy}
    adapter = create_app(site.settings).url_map.bind("localhost")
    reached = {adapter.match(path, method)[0] for method, path in (call.split(" ") for call in walked)}
    assert reached == {rule.endpoint for rule in adapter.map.iter_rules()}
    assert [answer.call for answer in site.healthy if answer.status >= 500] == ["GET /readyz"]


def wait_until_well(site: Site, before: dict[str, int]) -> None:
    """Wait until every read gives what it gave before the outage; nobody does anything about it."""
    began = time.monotonic()
    site.until(lambda: site.seed() and site.reads() == before, "the site is well again", RECOVERY_SECONDS)
    print(f"all was well again after {time.monotonic() - began:.1f} s")
