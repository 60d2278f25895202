"""Django finds an app's models here; each part keeps its own."""

from __future__ import annotations

from .newsletter.models import NewsletterConsent, NewsletterSubscription, NewsletterText

__all__ = ["NewsletterConsent", "NewsletterSubscription", "NewsletterText"]
