"""An instance belongs to one process at a time, and its token to one user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import Locked
from app.machine.instance import (
    CONNECTION_NAME,
    PID_NAME,
    Connection,
    claimed,
    is_ready,
    read_connection,
    running_pid,
    write_connection,
)

HOLDER = """
import sys, time
from pathlib import Path
from app.machine.instance import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_nobody_runs_an_instance_that_was_never_started(tmp_path: Path) -> None:
    assert running_pid(tmp_path / "new") is None
    assert read_connection(tmp_path / "new") is None


def test_the_holder_is_named_to_others_and_refuses_a_second_one(tmp_path: Path) -> None:
    with claimed(tmp_path) as claim:
        assert running_pid(tmp_path) == os.getpid()
        assert not is_ready(tmp_path)
        claim.mark_ready()
        assert is_ready(tmp_path)
        with pytest.raises(Locked, match=str(os.getpid())), claimed(tmp_path):
            pass
    assert running_pid(tmp_path) is None


def test_a_holder_that_was_killed_stands_in_nobodys_way(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        assert running_pid(tmp_path) == holder.pid
        holder.send_signal(signal.SIGKILL)
    assert (tmp_path / PID_NAME).read_text(encoding="ascii").split() == [str(holder.pid)]
    assert running_pid(tmp_path) is None
    with claimed(tmp_path):
        assert running_pid(tmp_path) == os.getpid()


def test_the_connection_is_read_back_and_hidden_from_other_users(tmp_path: Path) -> None:
    given = Connection("http://127.0.0.1:8642", "mao_root_%(x)s")
    write_connection(tmp_path, given)
    write_connection(tmp_path, given)
    assert read_connection(tmp_path) == given
    assert (tmp_path / CONNECTION_NAME).stat().st_mode & 0o777 == 0o600
