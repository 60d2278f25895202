"""HTTP caching of answers that are the same for everybody with the key: small ones, tagged by what they say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from rest_framework.request import Request

Action = Callable[..., Any]


def cacheable(seconds: Callable[[], int]) -> Callable[[Action], Action]:
    """For an action of a `StoreViewSet` with `Access.KEY` whose answer depends on the address, the store and the language only.

    Browsers and caches may keep it for `seconds()` and show it for as long again while they ask with its `ETag`. The
    tag is made of the answer, so a change of anything in it is seen. With a token the answer is kept by nobody.
    """

    def decorate(action: Action) -> Action:
        @wraps(action)
        def answer(self: Any, request: Request, **url: Any) -> HttpResponse:
            response: HttpResponse = action(self, request, **url)
            if request.META.get("HTTP_AUTHORIZATION"):
                return response
            tag = f'W/"{hashlib.blake2b(response.content, digest_size=12).hexdigest()}"'
            known = request.META.get("HTTP_IF_NONE_MATCH", "").split(",")
            if tag.removeprefix("W/") in {part.strip().removeprefix("W/") for part in known}:
                response = HttpResponseNotModified()
            response["ETag"] = tag
            response["Cache-Control"] = f"public, max-age={seconds()}, stale-while-revalidate={seconds()}"
            return response

        return answer

    return decorate
