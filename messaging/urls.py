from django.urls import path

from . import views

urlpatterns = [
    path("hooks/messages/<str:store_id>/<str:account_id>", views.hook, name="storefront_messaging_hook"),
]
