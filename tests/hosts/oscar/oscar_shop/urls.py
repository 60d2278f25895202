from django.apps import apps
from django.contrib import admin
from django.urls import include, path

API = "api/v1/<str:store_id>/storefront/"

urlpatterns = [
    path(API + "auth/", include("accounts.urls")),
    path(API, include("carts.urls")),
    path("", include("messaging.urls")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
