"""Compare two files, two folders or two lists of files, and say what differs.

Independent of the rest of the product: bytes in, differences out, nothing but the standard library. ``tables`` says
what a difference between rows is.
"""

from app.compare.files import compare_files, compare_lists, compare_pairs, compare_places, pairs_of
from app.compare.options import Options, WrongUse
from app.compare.result import Comparison, Counts, FileComparison, Status
from app.compare.sources import Source

__all__ = [
    "Comparison",
    "Counts",
    "FileComparison",
    "Options",
    "Source",
    "Status",
    "WrongUse",
    "compare_files",
    "compare_lists",
    "compare_pairs",
    "compare_places",
    "pairs_of",
]
