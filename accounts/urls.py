"""Addresses below `/auth`."""

from __future__ import annotations

from django.urls import path

from .views import (
    CodeViewSet,
    ContactsViewSet,
    ImageViewSet,
    LoginViewSet,
    PasswordViewSet,
    PreferencesViewSet,
    RegisterViewSet,
    SessionViewSet,
    UserViewSet,
)

urlpatterns = [
    path("anonymous", SessionViewSet.as_view({"post": "anonymous"})),
    path("refresh-token", SessionViewSet.as_view({"post": "refresh"})),
    path("logout", SessionViewSet.as_view({"post": "logout"})),
    path("login/email", LoginViewSet.as_view({"post": "email_code"})),
    path("login/phone", LoginViewSet.as_view({"post": "sms_code"})),
    path("login/whatsapp", LoginViewSet.as_view({"post": "whatsapp_code"})),
    path("login/password", LoginViewSet.as_view({"post": "password"})),
    path("register/email", RegisterViewSet.as_view({"post": "email_code"})),
    path("register/phone", RegisterViewSet.as_view({"post": "sms_code"})),
    path("register/whatsapp", RegisterViewSet.as_view({"post": "whatsapp_code"})),
    path("register/password", RegisterViewSet.as_view({"post": "password"})),
    path("verify-otp", CodeViewSet.as_view({"post": "verify"})),
    path("generate-otp", CodeViewSet.as_view({"post": "generate"})),
    path("forgot-password", PasswordViewSet.as_view({"post": "forgot"})),
    path("reset-password", PasswordViewSet.as_view({"post": "reset"})),
    path("change-password", PasswordViewSet.as_view({"post": "change"})),
    path("verified-email-phone", ContactsViewSet.as_view({"post": "verified"})),
    path("user/<str:user_id>", UserViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"})),
    path("user/<str:user_id>/deactivate", UserViewSet.as_view({"put": "deactivate"})),
    path(
        "user/<str:user_id>/notification-preferences",
        PreferencesViewSet.as_view({"get": "retrieve", "put": "update", "post": "create"}),
    ),
    path(
        "user/<str:user_id>/profile-image",
        ImageViewSet.as_view({"get": "retrieve", "post": "create", "put": "update", "delete": "destroy"}),
    ),
]
