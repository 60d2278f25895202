"""What this app adds to the dashboard; each part keeps its own."""

from __future__ import annotations

from .analytics import panels as analytics
from .newsletter import panels as newsletter

__all__ = ["analytics", "newsletter"]
