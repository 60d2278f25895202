"""The two pages behind links in messages. To open one changes nothing: mail scanners open every link."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from storefront import languages, limits
from storefront import selectors as kernel
from storefront.errors import StoreNotFound, TooManyRequests
from storefront.models import Store

from . import links, services

POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


@method_decorator([never_cache, csrf_exempt], name="dispatch")  # whoever holds the link may post, from anywhere
class LinkPage(View):
    """GET asks, POST does it. `kind` is one of `links`."""

    kind = links.UNSUBSCRIBE

    def get(self, request: HttpRequest, store_id: str, sealed: str) -> HttpResponse:
        try:
            store = kernel.store(store_id)
            links.opened(store=store, kind=self.kind, sealed=sealed, now=timezone.now())
        except (StoreNotFound, links.BadLink):
            return self._page(request, None, "bad", status=404)
        return self._page(request, store, "ask")

    def post(self, request: HttpRequest, store_id: str, sealed: str) -> HttpResponse:
        network = limits.network_of(request)
        try:
            store = kernel.store(store_id)
            limits.hit(limits.rules("newsletter_link", store.pk, network))
            self._act(request, store, sealed, services.coarse(network))
        except (StoreNotFound, links.BadLink):
            return self._page(request, None, "bad", status=404)
        except TooManyRequests as error:
            response = self._page(request, None, "busy", status=429)
            response["Retry-After"] = str(error.retry_after)
            return response
        return self._page(request, store, "done")

    def _act(self, request: HttpRequest, store: Store, sealed: str, network: str) -> None:
        if self.kind == links.CONFIRM:
            services.confirm(store=store, sealed=sealed, network=network)
            return
        one_click = request.POST.get("List-Unsubscribe") == "One-Click"
        source = services.Source.ONE_CLICK if one_click else services.Source.LINK
        services.unsubscribe(store=store, sealed=sealed, source=source, network=network)

    def _page(self, request: HttpRequest, store: Store | None, step: str, status: int = 200) -> HttpResponse:
        language = languages.asked(request) or (languages.spoken(store.language) if store else settings.LANGUAGE_CODE)
        with translation.override(language):
            context = {"store": store, "step": step, "kind": self.kind}
            response = render(request, "engagement/newsletter.html", context, status=status)
        response["Content-Security-Policy"] = POLICY
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response
