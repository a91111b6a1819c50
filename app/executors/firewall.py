"""Packet filter rules that keep tools away from this host's own ports and from the cloud's metadata service.

A bridge lets its containers reach every port of the host that listens on all addresses, and 169.254.169.254, where
clouds hand out this machine's credentials. Two rules close both. They need root; without it the gap is reported.
"""

from __future__ import annotations

import shutil
import subprocess

LINK_LOCAL = "169.254.0.0/16"
_TIMEOUT_SECONDS = 10
_SYSTEM_FOLDERS = "/usr/sbin:/sbin"


def rules_for(bridge: str) -> list[list[str]]:
    """Give the rules for one bridge, each as a chain and what follows it."""
    return [
        ["INPUT", "-i", bridge, "-j", "DROP"],
        ["DOCKER-USER", "-i", bridge, "-d", LINK_LOCAL, "-j", "DROP"],
    ]


def close_bridge(bridge: str) -> str | None:
    """Put the rules in place where they are not, and give a sentence on what stays open, or None."""
    program = shutil.which("iptables") or shutil.which("iptables", path=_SYSTEM_FOLDERS)
    if program is None:
        return _gap(bridge, "iptables is not installed")
    for rule in rules_for(bridge):
        try:
            failure = _put(program, rule)
        except (OSError, subprocess.TimeoutExpired):
            failure = "iptables does not answer"
        if failure:
            return _gap(bridge, failure)
    return None


def _put(program: str, rule: list[str]) -> str:
    # "-w" waits for the lock that the engine takes as well.
    if _run([program, "-w", "-C", *rule]).returncode == 0:
        return ""
    done = _run([program, "-w", "-I", *rule])
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[0] if done.stderr.strip() else "it failed"


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)


def _gap(bridge: str, why: str) -> str:
    commands = "; ".join(f"iptables -I {' '.join(rule)}" for rule in rules_for(bridge))
    return (
        f"Tools can reach this host's own ports and {LINK_LOCAL}: the packet filter was not changed ({why}). "
        f"As root, once after each boot: {commands}"
    )
