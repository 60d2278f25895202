from django.urls import include, path

urlpatterns = [path("api/v1/<str:store_id>/storefront/", include("carts.urls"))]
