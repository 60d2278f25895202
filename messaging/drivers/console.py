"""Prints messages. Outside DEBUG it prints that there was one, and not what it says."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings

from storefront.contacts import mask
from storefront.contracts import RenderedMessage

from .base import Driver


class Console(Driver):
    channels = ("whatsapp", "sms", "email")

    def __init__(self, *, stream: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._stream = stream

    def send(self, message: RenderedMessage) -> str:
        if settings.DEBUG:
            line = f"message to {message.to}: {message.text}"
        else:
            line = f"message to {mask(message.to)}: {message.template.get('code', '')}"
        print(line, file=self._stream or sys.stdout, flush=True)
        return f"console-{message.key}"
