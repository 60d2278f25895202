"""Bar R-17 in a short form: a real Celery worker is killed while it sends codes, and none is lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from benchmarks import kill_worker
from config import celery_app
from messaging.models import Message
from storefront.models import Store

CODES, KILLS, CONCURRENCY = 60, 2, 4


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_it_sends_loses_no_code(transactional_db: None, store: Store, tmp_path: Path) -> None:
    environment = kill_worker.environment(
        database_url=_own_address(), redis_url=settings.REDIS_URL, folder=tmp_path, settings="config.settings.test"
    )
    celery_app.control.purge()
    worker = kill_worker.Worker(environment=environment, concurrency=CONCURRENCY, folder=tmp_path, pool="threads")
    with kill_worker.CountingProvider(latency=0.05) as provider:
        kill_worker.add_provider(store=store, url=provider.url)
        try:
            outcome = kill_worker.run(
                store=store,
                worker=worker,
                provider=provider,
                codes=CODES,
                kills=KILLS,
                every=0,
                concurrency=CONCURRENCY,
                patience=600,
            )
        finally:
            worker.kill()
            celery_app.control.purge()
    assert outcome.lost == 0
    assert outcome.wrong_codes == 0
    assert outcome.duplicates <= outcome.allowed_duplicates
    assert {message.status for message in Message.objects.all()} == {"sent"}
    _nothing_secret_was_logged(worker.log, provider.codes)


def _own_address() -> str:
    """The test database, as a worker in another process must name it."""
    return os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{connection.settings_dict['NAME']}"


def _nothing_secret_was_logged(log: str, codes: dict[str, set[str]]) -> Any:
    for number, sent in codes.items():
        assert number not in log
        assert not any(code in log for code in sent)
