from django.urls import path

from .views import CartViewSet

urlpatterns = [
    path("carts", CartViewSet.as_view({"post": "create"}), name="storefront_carts_list"),
    path(
        "carts/users/<str:user_id>",
        CartViewSet.as_view({"get": "retrieve_of_user", "delete": "destroy_of_user"}),
        name="storefront_carts_of_user",
    ),
    path(
        "carts/<str:cart_id>",
        CartViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="storefront_carts_detail",
    ),
    path("carts/<str:cart_id>/items", CartViewSet.as_view({"post": "items"}), name="storefront_carts_items"),
]
