from django.urls import path

from .views import detail, listing

app_name = "catalog"
urlpatterns = [path("", listing, name="list"), path("<slug:page>/", detail, name="detail")]
