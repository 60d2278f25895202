"""Where providers report what became of a message. Not part of the storefront API: every provider has its own form."""

from __future__ import annotations

import json
import logging

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from storefront.conf import conf

from . import selectors
from .reports import record_reports

logger = logging.getLogger(__name__)


@transaction.non_atomic_requests
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def hook(request: HttpRequest, store_id: str, account_id: str) -> HttpResponse:
    """GET answers a provider's check of the address; POST takes reports. 401 unless the provider proves itself. HEAD,
    by which some see whether anybody is there, is answered whatever the address.

    An unknown account answers as a bad signature does, so that nobody learns which accounts there are.
    """
    if request.method == "HEAD":
        return HttpResponse()
    account = selectors.account_for_hook(store_id=store_id, account_id=account_id)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if account is None or not length.isdecimal() or int(length) > conf().MAX_BODY_BYTES:
        return _refused()
    address = selectors.callback_address(account) or request.build_absolute_uri(request.path)
    query = {name: str(value) for name, value in request.GET.items()}
    try:
        driver = selectors.build_driver(account, callback_url=address)
        if request.method == "GET":
            return HttpResponse(driver.challenge(query), content_type="text/plain")
        reports = driver.reports(headers=request.headers, body=request.body, query=query)
    except PermissionError:
        logger.warning("message_report_refused", extra={"store": store_id, "account": account_id})
        return _refused()
    except (LookupError, TypeError, ValueError, ImportError):
        return _refused()
    known = record_reports(store=account.store, account=account, reports=reports)
    return _json(200, {"message": "Received.", "success": True, "content": {"reports": len(reports), "known": known}})


def _refused() -> HttpResponse:
    answer = _json(401, {"message": "You are not authorised to do this.", "success": False, "code": "unauthorized"})
    answer["WWW-Authenticate"] = 'Basic realm="reports"'  # some send their password only when they are asked for it
    return answer


def _json(status: int, body: dict[str, object]) -> HttpResponse:
    return HttpResponse(json.dumps(body), content_type="application/json", status=status)
