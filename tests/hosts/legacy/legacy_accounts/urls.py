from django.contrib.auth import views
from django.urls import path

from .views import profile

app_name = "accounts"
urlpatterns = [
    path("login/", views.LoginView.as_view(template_name="login.html"), name="login"),
    path("profile/", profile, name="profile"),
]
