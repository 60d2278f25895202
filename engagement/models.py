"""Django finds an app's models here; each part keeps its own."""

from __future__ import annotations

from .analytics.models import (
    AnalyticsBatch,
    AnalyticsErasure,
    AnalyticsEvent,
    AnalyticsProvider,
    AnalyticsSink,
    FunnelDay,
    FunnelVisitor,
)
from .newsletter.models import NewsletterConsent, NewsletterRequest, NewsletterSubscription, NewsletterText

__all__ = [
    "AnalyticsBatch",
    "AnalyticsErasure",
    "AnalyticsEvent",
    "AnalyticsProvider",
    "AnalyticsSink",
    "FunnelDay",
    "FunnelVisitor",
    "NewsletterConsent",
    "NewsletterRequest",
    "NewsletterSubscription",
    "NewsletterText",
]
