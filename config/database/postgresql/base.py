from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Logs statements only where a test or a tool asks for it: under DEBUG the log would cost more than the query."""

    @property
    def queries_logged(self) -> bool:
        return bool(self.force_debug_cursor)
