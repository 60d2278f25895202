"""Every address: the API of each store, the admin, the documentation, health."""

from django.urls import include, path

API = "api/v1/<str:store_id>/storefront/"

urlpatterns = [
    path(API + "auth/", include("accounts.urls")),
    path(API + "catalog/", include("catalog.urls")),
    # The busiest first, for those that are tried in vain cost a cart 30 microseconds. But words before parameters:
    # /carts/available-coupons is no cart's id.
    path(API, include("promotions.urls")),
    path(API, include("carts.urls")),
    path(API, include("storefront.urls")),
    path(API, include("wallets.urls")),
    path(API, include("payments.urls")),
    path(API, include("fulfillment.urls")),
    path(API, include("engagement.urls")),
    path(API, include("catalog.customer_urls")),
    path(API, include("customers.urls")),
    path("", include("messaging.urls")),
    path("", include("engagement.pages")),
    path("", include("config.pages")),
]
