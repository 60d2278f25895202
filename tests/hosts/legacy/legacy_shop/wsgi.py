import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "legacy_shop.settings")
application = get_wsgi_application()

from storefront.outbox import embedded  # noqa: E402  needs the apps

embedded.start()  # delivers messages from a thread of this process; not needed where a Celery worker does
