"""What is said when the packet filter cannot be changed; that it holds is tested against a real one."""

from __future__ import annotations

import subprocess

import pytest

from app.executors import firewall


class FakeFilter:
    """Remembers the rules that it was given; refuses all where it is told to."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.rules: list[list[str]] = []

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        _, _, verb, *rule = command
        if verb == "-C":
            return subprocess.CompletedProcess(command, 0 if rule in self.rules else 1, "", "no such rule")
        if not self.refusal:
            self.rules.append(rule)
        return subprocess.CompletedProcess(command, 4 if self.refusal else 0, "", self.refusal)


def with_filter(monkeypatch: pytest.MonkeyPatch, fake: FakeFilter) -> FakeFilter:
    monkeypatch.setattr(firewall.shutil, "which", lambda *_, **__: "/usr/sbin/iptables")
    monkeypatch.setattr(firewall, "_run", fake.run)
    return fake


def test_both_rules_are_set_and_set_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = with_filter(monkeypatch, FakeFilter())
    assert firewall.close_bridge("br-mao") is None
    assert firewall.close_bridge("br-mao") is None
    assert fake.rules == [
        ["INPUT", "-i", "br-mao", "-j", "DROP"],
        ["DOCKER-USER", "-i", "br-mao", "-d", "169.254.0.0/16", "-j", "DROP"],
    ]


def test_a_refusal_is_told_with_the_commands_that_cure_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with_filter(monkeypatch, FakeFilter("Permission denied (you must be root)\nmore"))
    gap = firewall.close_bridge("br-mao")
    assert gap
    assert "you must be root" in gap
    assert "iptables -I INPUT -i br-mao -j DROP; iptables -I DOCKER-USER" in gap


def test_a_filter_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewall.shutil, "which", lambda *_, **__: None)
    assert "not installed" in str(firewall.close_bridge("br-mao"))


def test_a_filter_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str]) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(command, 10)

    with_filter(monkeypatch, FakeFilter())
    monkeypatch.setattr(firewall, "_run", hang)
    assert "does not answer" in str(firewall.close_bridge("br-mao"))
