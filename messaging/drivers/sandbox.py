"""Sends nothing and keeps nothing: the inbox page makes the text anew from the row and its secret."""

from __future__ import annotations

from storefront.contracts import RenderedMessage

from .base import Driver


class Sandbox(Driver):
    channels = ("whatsapp", "sms", "email")

    def send(self, message: RenderedMessage) -> str:
        return f"sandbox-{message.key}"
