from functools import lru_cache
from typing import Any

from django.db.backends.sqlite3 import base


@lru_cache(maxsize=512)
def _with_question_marks(query: str) -> str:
    """Django's conversion, once a text: of a statement about 50 lines it took longer than SQLite took to answer it."""
    return base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")


class Cursor(base.SQLiteCursorWrapper):
    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        if param_names is not None or len(query) > 16_384:
            return super().convert_query(query, param_names=param_names)
        return _with_question_marks(query)


class DatabaseWrapper(base.DatabaseWrapper):
    """Logs statements only where a test or a tool asks for it: under DEBUG the log would cost more than the query."""

    @property
    def queries_logged(self) -> bool:
        return bool(self.force_debug_cursor)

    def create_cursor(self, name: Any = None) -> Cursor:
        cursor: Cursor = self.connection.cursor(factory=Cursor)
        return cursor
