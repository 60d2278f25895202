"""Django finds an app's admin pages here; each part keeps its own."""

from __future__ import annotations

from .newsletter import admin as newsletter

__all__ = ["newsletter"]
