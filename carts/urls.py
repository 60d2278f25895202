from django.urls import path

from .views import CartViewSet, DeliveryViewSet, WishViewSet
from .wishlist.views import WishlistViewSet

urlpatterns = [
    path("carts", CartViewSet.as_view({"post": "create"}), name="storefront_carts_list"),
    # Words before parameters.
    path(
        "carts/fulfillment-options",
        DeliveryViewSet.as_view({"post": "of_cart"}),
        name="storefront_carts_fulfillment_options",
    ),
    path(
        "shipping/fulfillment-options",
        DeliveryViewSet.as_view({"post": "older_of_cart"}),
        name="storefront_carts_shipping_options",
    ),
    path(
        "fulfillment/serviceability",
        DeliveryViewSet.as_view({"post": "serviceability"}),
        name="storefront_carts_serviceability",
    ),
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
    path(
        "carts/<str:cart_id>/coupon",
        WishViewSet.as_view({"post": "coupon", "delete": "remove_coupon"}),
        name="storefront_carts_coupon",
    ),
    path(
        "carts/<str:cart_id>/loyalty-points",
        WishViewSet.as_view({"post": "points", "delete": "remove_points"}),
        name="storefront_carts_points",
    ),
    path(
        "carts/<str:cart_id>/credit-balance",
        WishViewSet.as_view({"post": "credit", "delete": "remove_credit"}),
        name="storefront_carts_credit",
    ),
    path(
        "carts/<str:cart_id>/gift-card",
        WishViewSet.as_view({"post": "gift_card", "delete": "remove_gift_card"}),
        name="storefront_carts_gift_card",
    ),
    path(
        "carts/<str:cart_id>/address",
        WishViewSet.as_view({"post": "addresses"}),
        name="storefront_carts_address",
    ),
    path(
        "carts/<str:cart_id>/fulfillment-preference",
        WishViewSet.as_view({"post": "preference"}),
        name="storefront_carts_preference",
    ),
    path(
        "carts/<str:cart_id>/evaluate-coupons",
        WishViewSet.as_view({"get": "evaluate_coupons"}),
        name="storefront_carts_evaluate_coupons",
    ),
    path(
        "carts/<str:cart_id>/evaluate-promotions",
        WishViewSet.as_view({"get": "evaluate_promotions"}),
        name="storefront_carts_evaluate_promotions",
    ),
    path(
        "wishlist/<str:user_id>",
        WishlistViewSet.as_view({"get": "retrieve", "post": "add", "delete": "remove"}),
        name="storefront_carts_wishlist",
    ),
]
