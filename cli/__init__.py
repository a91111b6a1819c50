"""The command line ``maoctl``. It speaks HTTP to the server, imports nothing of ``app`` and could be shipped alone."""

__version__ = "0.4.0"
