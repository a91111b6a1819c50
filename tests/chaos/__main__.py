"""The storm as a command: ``python -m tests.chaos --kills 1000 --edges 20 --seed 1 --report result.md``."""

from __future__ import annotations

import sys

from tests.chaos.isolation import run_isolated, why_not
from tests.chaos.options import parser


def main() -> int:
    """Run the storm in a world of its own, and give 0 where nothing was wrong."""
    parser().parse_args()
    if (reason := why_not()) is not None:
        print(f"chaos: not possible here: {reason}", file=sys.stderr)
        return 2
    return run_isolated(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
