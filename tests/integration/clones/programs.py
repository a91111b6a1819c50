"""Programs of the system that some tests need: without one they fail in CI, and are skipped aloud elsewhere."""

from __future__ import annotations

import os
import shutil

import pytest

MISSING = "is not installed on this machine"
_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def required(name: str, package: str) -> str:
    """Give the path of a program; ``package`` is what Debian calls its package."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        reason = f"{name} {MISSING}; install it: apt-get install {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found
