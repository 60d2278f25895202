"""What this app adds to the dashboard; each part keeps its own."""

from __future__ import annotations

from .newsletter import panels as newsletter

__all__ = ["newsletter"]
