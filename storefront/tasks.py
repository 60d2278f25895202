"""Celery's entry points: wake-up calls only; the rows are the truth."""

from __future__ import annotations

from celery import shared_task

from storefront import outbox, services


@shared_task(name="storefront.drain_queue", ignore_result=True)
def drain_queue(name: str) -> int:
    return outbox.drain(name)


@shared_task(name="storefront.sweep", ignore_result=True)
def sweep() -> None:
    """Runs every few seconds from beat; two of them at once do no harm."""
    services.beat(name="worker")
    outbox.drain_all()
    services.sweep()
