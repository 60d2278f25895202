from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from storefront.errors import TooManyRequests


class AnalyticsBusy(TooManyRequests):
    """Events come in faster than they can be written."""

    code = "analytics_busy"
    default_message = _("Too many events are waiting. Please send this one again in a moment.")
