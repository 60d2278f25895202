"""DRF's parser and renderer of the API. Apart from `storefront.api`, for DRF's settings name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from storefront import wire


class EnvelopeRenderer(BaseRenderer):
    """`{message, success, content}`; the `content` key is absent where the contract has none."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return wire.dumps(data)


class Body(BaseParser):
    """JSON within the limits of `storefront.wire`."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return wire.loads(stream.read())
