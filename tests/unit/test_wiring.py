"""Building the product opens no connection, starts no thread and loads no engine's library into the API."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from app.settings import load
from app.wiring import build, equip

NOWHERE = {"MAO_POSTGRES_ADDRESS": "127.0.0.1:1", "MAO_ETCD_ADDRESS": "127.0.0.1:1"}


def test_building_starts_no_thread_and_connects_to_nothing(tmp_path: Path) -> None:
    before = threading.active_count()
    build(load(NOWHERE, tmp_path))
    equip(load(NOWHERE, tmp_path))
    assert threading.active_count() == before


def test_the_process_backend_is_there_only_where_it_is_allowed(tmp_path: Path) -> None:
    assert set(equip(load(NOWHERE, tmp_path)).executors) == {"docker", "dummy"}
    allowed = load({**NOWHERE, "MAO_WORKING_ENVIRONMENT_ALLOW_PROCESS_BACKEND": "yes"}, tmp_path)
    assert set(equip(allowed).executors) == {"docker", "dummy", "process"}


def test_the_api_loads_neither_the_engine_s_library_nor_git_nor_the_scheduler() -> None:
    code = (
        "import sys, app.factory, app.wiring\n"
        "print([name for name in ('docker', 'git', 'apscheduler', 'alembic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
