"""What can be asked of the storm on the command line."""

from __future__ import annotations

import argparse


def parser() -> argparse.ArgumentParser:
    """Give the options of ``python -m tests.chaos``."""
    options = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    options.add_argument("--kills", type=int, default=20, help="go on until so many faults have killed processes")
    options.add_argument("--edges", type=int, default=1, help="kill the agent so often at each named point")
    options.add_argument("--seed", type=int, default=1, help="the same seed gives the same plan")
    options.add_argument("--only", default="", help="make only faults whose name contains this; each counts as a kill")
    options.add_argument("--report", default="", help="write the result as Markdown to this file")
    options.add_argument("--logs", default="", help="keep the logs, and what is complained about, in this folder")
    return options
