"""Alembic's scripts. Expand, then contract: an old agent and a new API run side by side."""
