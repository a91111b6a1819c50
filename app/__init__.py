"""MAO Orchestrator: run data-collecting tools on a schedule, and be able to trust what they collected.

This package imports nothing here, so that ``import app.spike`` pulls in no web framework.
"""

__version__ = "0.4.0"
