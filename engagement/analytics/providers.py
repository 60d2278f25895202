"""Analytics services that a client knows how to start, and which of their keys it may be told.

Each field has a pattern of what is public by design, so that a secret that is pasted by mistake is refused, and only
named fields are ever published.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from .models import AnalyticsProvider


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: Any
    pattern: str
    example: str
    required: bool = True

    def accepts(self, value: str) -> bool:
        return re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    description: Any
    fields: tuple[Field, ...]


SERVICES: dict[str, Service] = {
    "google-analytics": Service(
        "Google Analytics 4",
        _("Visits and sales, by Google."),
        (Field("measurement_id", _("Measurement id"), r"G-[A-Z0-9]{4,16}", "G-AB12CD34EF"),),
    ),
    "google-tag-manager": Service(
        "Google Tag Manager",
        _("Loads other tags."),
        (Field("container_id", _("Container id"), r"GTM-[A-Z0-9]{4,12}", "GTM-AB12CD3"),),
    ),
    "meta-pixel": Service(
        "Meta Pixel",
        _("Measures advertisements on Facebook and Instagram."),
        (Field("pixel_id", _("Pixel id"), r"[0-9]{10,20}", "123456789012345"),),
    ),
    "microsoft-clarity": Service(
        "Microsoft Clarity",
        _("Heat maps and recordings."),
        (Field("project_id", _("Project id"), r"[a-z0-9]{6,16}", "ab12cd34ef"),),
    ),
    "posthog": Service(
        "PostHog",
        _("Product analytics."),
        (
            Field("project_api_key", _("Project key"), r"phc_[A-Za-z0-9]{20,60}", "phc_…"),
            Field("api_host", _("Host"), r"https://[a-z0-9.-]{3,100}", "https://eu.i.posthog.com", required=False),
        ),
    ),
    "segment": Service(
        "Segment",
        _("Hands events on to other services."),
        (Field("write_key", _("Write key of a browser source"), r"[A-Za-z0-9]{20,40}", "32 letters and digits"),),
    ),
    "mixpanel": Service(
        "Mixpanel",
        _("Product analytics."),
        (Field("project_token", _("Project token"), r"[a-f0-9]{32}", "32 digits and letters a to f"),),
    ),
}


def choices() -> list[tuple[str, str]]:
    return [(kind, service.name) for kind, service in SERVICES.items()]


def shape(row: AnalyticsProvider) -> dict[str, Any] | None:
    """The contract's AnalyticsProvider; None for a service that there is no longer."""
    service = SERVICES.get(row.kind)
    if service is None:
        return None
    kept = row.credentials if isinstance(row.credentials, dict) else {}
    return {
        "id": row.pk,
        "name": service.name,
        "short_description": str(service.description),
        "features": [],
        "logo_dark": "",
        "logo_light": "",
        "analytics_provider_slug": row.kind,
        "api_credentials": {
            field.name: str(kept[field.name])
            for field in service.fields
            if kept.get(field.name) and field.accepts(str(kept[field.name]))
        },
    }
