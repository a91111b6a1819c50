"""Run ``maoctl`` from a checkout, without installing it: ``python cli/maoctl.py tool get``."""

from __future__ import annotations

import sys
from pathlib import Path


def run() -> int:
    """Run the command line of the checkout that holds this file and give its exit status."""
    folder = Path(__file__).resolve().parent
    # Python puts the folder of the started file first on its path, where our errors.py or config.py would
    # hide anybody else's module of that name. The checkout takes its place.
    sys.path[:] = [str(folder.parent), *(entry for entry in sys.path if Path(entry or ".").resolve() != folder)]
    from cli.main import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
