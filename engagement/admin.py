"""Django finds an app's admin pages here; each part keeps its own."""

from __future__ import annotations

from .analytics import admin as analytics
from .newsletter import admin as newsletter

__all__ = ["analytics", "newsletter"]
