"""Structured logs: one JSON object a line, an allow-list of fields, contacts masked, never a query string or body."""

from __future__ import annotations

import logging
import logging.config
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

_PHONE = re.compile(r"\+?\d[\d \-]{7,}\d")
_SHORTEST_PHONE = 9  # characters of _PHONE
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*|pk_[\w-]{8,}")


def masked(text: str) -> str:
    """Text with whatever looks like a phone, an e-mail address, a token or a key taken out."""
    if "eyJ" in text or "pk_" in text:  # looking for these is far cheaper than trying the pattern
        text = _TOKEN.sub("[token]", text)
    if "@" in text:
        text = _EMAIL.sub("[e-mail]", text)
    return _PHONE.sub("[number]", text) if len(text) >= _SHORTEST_PHONE else text


def mask_event(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str) and key not in {"timestamp", "request_id", "route", "level", "logger"}:
            event[key] = masked(value)
    return event


def _dumps(event: Any, default: Any = None, **_options: Any) -> str:
    return orjson.dumps(event, default=default or str, option=orjson.OPT_NON_STR_KEYS).decode()


def logging_config(*, level: str, as_json: bool) -> dict[str, Any]:
    return {"level": level, "as_json": as_json}


def configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: structlog for our own lines, the standard library's through the same processors."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_event,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=_dumps)
        if options["as_json"]
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    level = logging.getLevelNamesMapping().get(options["level"].upper(), logging.INFO)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("django.request").setLevel(logging.CRITICAL)  # our request line says it, without the address
    logging.getLogger("django.server").setLevel(logging.CRITICAL)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # logs full addresses, tokens included
    logging.getLogger("httpcore2").setLevel(logging.WARNING)
