"""What git's complaints become."""

from __future__ import annotations

import pytest

from app.errors import BackendFailed, MaoError, RemoteDown, WrongState
from app.repositories.git_errors import is_too_large, telling_line, translated

REMOTE = "https://example.org/data.git"
HANG_UP = "\nfatal: the remote end hung up unexpectedly\nfatal: early EOF"


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("fatal: could not read Username for 'https://example.org': terminal prompts disabled", "password or token"),
        ("fatal: Authentication failed for 'https://example.org/data.git/'", "wrong or expired"),
        ("fatal: unable to access 'https://example.org/': The requested URL returned error: 403", "do not allow this"),
        ("git@example.org: Permission denied (publickey).\nfatal: Could not read from remote repository.", "ssh key"),
        ('Load key "/k": error in libcrypto\nfatal: Could not read from remote repository.', "refused the ssh key"),
        ("fatal: Out of memory, malloc failed (tried to allocate 5 bytes)" + HANG_UP, "more memory"),
        (
            "@ REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\nfatal: Could not read",
            "another one than this node knows",
        ),
        (
            "remote: Repository not found.\nfatal: repository 'https://example.org/data.git/' not found",
            "does not exist",
        ),
        ("fatal: '/srv/x' does not appear to be a git repository" + HANG_UP, "does not exist"),
        ("fatal: unable to access 'https://example.org/': The requested URL returned error: 301", "redirect"),
        ("fatal: unable to access 'https://example.org/': SSL certificate problem: self-signed", "certificate"),
        ("No ED25519 host key is known.\nHost key verification failed.\nfatal: Could not read", "key this node"),
        ("error: object 1: hasDotgit: contains '.git'\nfatal: fsck error in packed object" + HANG_UP, "dangerous"),
        (
            "warning: Could not find remote branch x\nfatal: Remote branch x not found in upstream origin",
            "no such branch",
        ),
        ("error: cannot run ssh: No such file or directory\nfatal: unable to fork", "ssh is not installed"),
        ("fatal: transport 'ext' not allowed", "not allowed"),
        ("fatal: something that nobody has seen", "something that nobody has seen"),
    ],
)
def test_an_answer_of_the_remote_is_final(stderr: str, words: str) -> None:
    error = translated(stderr, REMOTE)
    assert isinstance(error, BackendFailed)
    assert error.cause == "data_unavailable"
    assert words in error.message


@pytest.mark.parametrize(
    "reason",
    [
        "fatal: unable to access 'https://example.org/data.git/': Could not resolve host: example.org",
        "fatal: unable to access 'https://example.org/': Failed to connect to example.org port 443: Connection refused",
        "fatal: unable to access 'https://example.org/': Operation too slow. Less than 1000 bytes/sec",
        "fatal: unable to access 'https://example.org/data.git/': The requested URL returned error: 503",
        "fatal: unable to access 'https://example.org/data.git/': The requested URL returned error: 429",
        "error: RPC failed; curl 56 Recv failure: Connection reset by peer" + HANG_UP,
        "ssh: connect to host example.org port 22: Connection timed out\nfatal: Could not read from remote repository.",
        "kex_exchange_identification: Connection closed by remote host",
    ],
)
def test_a_remote_that_may_come_back_is_down(reason: str) -> None:
    assert isinstance(translated(reason, REMOTE), RemoteDown)


@pytest.mark.parametrize("remote", ["", REMOTE])
def test_a_full_disk_is_nobodys_fault_but_the_nodes(remote: str) -> None:
    error = translated("fatal: write error: No space left on device\nfatal: index-pack failed" + HANG_UP, remote)
    assert isinstance(error, BackendFailed)
    assert error.cause == "backend_error"
    assert "disk" in error.message


@pytest.mark.parametrize(
    "stderr",
    [
        "error: Your local changes to the following files would be overwritten by merge:\n\ta.csv\nAborting",
        "fatal: Unable to create '/srv/x/index.lock': File exists.",
    ],
)
def test_what_stands_in_the_way_locally_is_a_conflict(stderr: str) -> None:
    assert isinstance(translated(stderr, ""), WrongState)


def test_a_message_holds_neither_logins_nor_our_folders_nor_control_characters() -> None:
    stderr = "fatal: unable to access 'https://user:hunter2@example.org/': /srv/mao/clones/data \x1b[31m is bad"
    error: MaoError = translated(stderr, REMOTE, ["/srv/mao/clones"])
    for secret in ("hunter2", "/srv/mao", "\x1b"):
        assert secret not in error.message


def test_the_telling_line_is_the_first_complaint_and_short() -> None:
    assert telling_line("Cloning into 'x'...\nwarning: a\nfatal: the reason\nfatal: another") == "the reason"
    assert telling_line("") == "git gave no reason"
    assert len(telling_line("fatal: " + "x" * 1000)) <= 160


@pytest.mark.parametrize("stderr", ["fatal: write error: File too large", "error: index-pack died of signal 25"])
def test_what_the_limit_on_files_stops_is_told_from_what_a_full_disk_stops(stderr: str) -> None:
    assert is_too_large(stderr)
    assert not is_too_large("fatal: write error: No space left on device")


def test_what_was_traced_is_no_reason() -> None:
    traced = "10:41:02.123456 pkt-line.c:80             packet:          git< 1111 refs/heads/fsck-403\n"
    assert "could not be read: the reason" in translated(f"{traced}fatal: the reason\n{traced}", REMOTE).message
