"""A tiny API on the kernel's base view, to test what every request shares."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from storefront import idempotency
from storefront.api import Access, Reply, StoreViewSet
from storefront.errors import Invalid, TooManyRequests
from storefront.models import Channel

BASE = "api/v1/<str:store_id>/storefront/"


class EchoIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=10)
    rows = serializers.ListField(child=serializers.DictField(child=serializers.IntegerField()), required=False)


class ProbeViewSet(StoreViewSet):
    access = {
        "echo": Access.OPEN,
        "keyed": Access.KEY,
        "either": Access.KEY_OR_TOKEN,
        "visit": Access.VISITOR,
        "fail": Access.OPEN,
        "refuse": Access.OPEN,
        "create": Access.OPEN,
    }
    inputs = {"echo": EchoIn}

    def echo(self, request: Request, **url: Any) -> Reply:
        return Reply(self.read(request))

    def keyed(self, request: Request, **url: Any) -> Reply:
        assert self.key is not None
        return Reply({"channel": self.key.channel})

    def either(self, request: Request, **url: Any) -> Reply:
        return Reply()

    def visit(self, request: Request, **url: Any) -> Reply:
        return Reply({})

    def fail(self, request: Request, **url: Any) -> Reply:
        raise RuntimeError("secret detail of +919876543210")

    def refuse(self, request: Request, **url: Any) -> Reply:
        if request.method == "PUT":
            raise TooManyRequests(retry_after=7)
        raise Invalid("No.", field="name")

    def create(self, request: Request, **url: Any) -> Any:
        """Makes a channel, once a key."""

        def call() -> Reply:
            name = self.request.data.get("name")
            if not name:
                raise Invalid("No name.", field="name")
            channel = Channel.objects.create(store=self.store, name=name)
            return Reply({"id": channel.pk})

        return idempotency.once(
            store=self.store,
            caller="",
            route="create",
            key=request.headers.get("Idempotency-Key"),
            body=request.data,
            call=call,
        )


def plain(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("outside DRF")


urlpatterns = [
    path(BASE + "echo", ProbeViewSet.as_view({"post": "echo"})),
    path(BASE + "keyed", ProbeViewSet.as_view({"get": "keyed"})),
    path(BASE + "either", ProbeViewSet.as_view({"get": "either"})),
    path(BASE + "visit", ProbeViewSet.as_view({"get": "visit"})),
    path(BASE + "fail", ProbeViewSet.as_view({"get": "fail"})),
    path(BASE + "refuse", ProbeViewSet.as_view({"get": "refuse", "put": "refuse"})),
    path(BASE + "create", ProbeViewSet.as_view({"post": "create"})),
    path(BASE + "plain", plain),
]
