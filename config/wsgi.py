import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = get_wsgi_application()

from config.threads import use_plain_locals  # noqa: E402 -- needs the settings

use_plain_locals()

# What is loaded now stays for good. Unless told so, the collector goes through all of it every few hundred requests,
# which takes a quarter of the processor time of a small one.
get_resolver().url_patterns  # noqa: B018 -- imports the views, so that they are loaded too
gc.collect()
gc.freeze()
# Requests leave next to nothing behind that only the collector finds. At Python's own 700 it runs for each cart of 50
# lines, in vain, for 5% of its processor time, and now and then through all promotions while other requests wait.
gc.set_threshold(10_000, 10, 10)
