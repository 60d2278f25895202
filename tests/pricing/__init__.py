"""Pricing without a database. The tables of docs/pricing.md are also made outside of pytest, which sets Django up."""

import os

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    django.setup()
