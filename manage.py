#!/usr/bin/env python
"""Django's command line, on the local settings unless told otherwise."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"The settings cannot be used. {error}")
    except (OperationalError, ProgrammingError) as error:
        without_table = "no such table" in str(error) or getattr(error.__cause__, "sqlstate", "") == "42P01"
        if not without_table or {"migrate", "serve", "--traceback"} & set(sys.argv):
            raise
        sys.exit("The database does not have all its tables yet. Run manage.py migrate first.")
