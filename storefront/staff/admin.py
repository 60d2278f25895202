"""Admin pages of the members of staff themselves. Only for a project whose admin is ours."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Exists, OuterRef
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from storefront import scope
from storefront.admin_base import (
    AdminPasswordChangeForm,
    BooleanFilter,
    SelectManyWidget,
    StoreModelAdmin,
    StoreStackedInline,
    UserChangeForm,
    UserCreationForm,
    action,
    display,
    site,
)
from storefront.models import StaffStores, Store
from storefront.staff import devices, stores

for _model in (TOTPDevice, StaticDevice):  # their pages would show secrets; the user's page has what staff need
    if site.is_registered(_model):
        site.unregister(_model)


class StaffStoresFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """Named for itself: the user's model, which may be a shop's own, gets no attribute from ours to name it by."""

    @classmethod
    def get_default_prefix(cls) -> str:
        return "staff_stores"


class StaffStoresInline(StoreStackedInline):
    """Which stores they see. Only a superuser decides it, as all rights."""

    model = StaffStores
    formset = StaffStoresFormSet
    fields = ("all_stores", "stores")
    verbose_name = verbose_name_plural = _("Stores")
    can_delete = False
    show_change_link = False
    min_num = max_num = 1

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["widget"] = SelectManyWidget()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # whoever sees the page

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class StaffList(ChangeList):
    """A page of the list with the stores of its rows: two queries for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        rows = StaffStores.objects.filter(staff__in=[user.pk for user in self.result_list]).prefetch_related("stores")
        limits = {row.pk: row for row in rows}
        for user in self.result_list:
            user.limit = limits.get(user.pk)


@site.admin_for(get_user_model())
class StaffAdmin(DjangoUserAdmin, StoreModelAdmin):  # type: ignore[misc, type-arg]
    """Members of staff. Their groups say what they may do, and the stores below where."""

    menu_title, menu_order, icon = _("Staff"), 80, "badge"
    form, add_form, change_password_form = UserChangeForm, UserCreationForm, AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "stores_seen", "second_factor")
    list_filter = (("is_staff", BooleanFilter), ("is_superuser", BooleanFilter), ("is_active", BooleanFilter))
    actions_detail = ("reset_second_factor",)
    inlines = (StaffStoresInline,)
    ordering = ("username",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        confirmed = TOTPDevice.objects.filter(user_id=OuterRef("pk"), confirmed=True)
        found: models.QuerySet[Any] = super().get_queryset(request).annotate(has_second_factor=Exists(confirmed))
        return stores.manageable(found, by=request.user)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return StaffList

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Not while a user is being made: first the name and the password."""
        return super().get_inlines(request, obj) if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Whom a limited member of staff adds is limited in the same way."""
        super().save_model(request, obj, form, change)
        limited = scope.stores()
        if not change and limited is not None:
            stores.limit(user=obj, stores=Store.objects.filter(pk__in=limited))

    @display(description=_("Stores"))
    def stores_seen(self, user: Any) -> Any:
        row = user.limit
        if user.is_superuser:
            return _("All (superuser)")
        if row is None or row.all_stores:
            return _("All")
        return ", ".join(store.name for store in row.stores.all()) or _("None")

    @display(description=_("Two-factor"), boolean=True)
    def second_factor(self, user: Any) -> bool:
        return bool(user.has_second_factor)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only a superuser hands out rights: else whoever edits users could take them all."""
        found = super().get_readonly_fields(request, obj)
        if request.user.is_superuser:
            return found
        return [*found, "is_superuser", "groups", "user_permissions"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or not obj.is_superuser or request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.is_superuser or request.user.is_superuser)

    def has_reset_second_factor_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    @action(
        description=_("Reset two-factor"),
        url_path="reset-two-factor",
        icon="phonelink_erase",
        permissions=["reset_second_factor"],
    )
    def reset_second_factor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self.get_object(request, object_id)
        if user is None:
            raise PermissionDenied
        back = reverse("admin:auth_user_change", args=[user.pk])
        if request.method == "POST":
            devices.reset(user=user, by=request.user)
            self.tell(request, _("Two-factor sign-in is reset."))
            return HttpResponseRedirect(back)
        return site.confirm(
            request,
            title=_("Reset two-factor sign-in"),
            text=_(
                "%(name)s loses all authenticator apps and recovery codes and enrols again at the next sign-in. "
                "Make sure that it is they who ask."
            )
            % {"name": user.get_username()},
            button=_("Reset it"),
            back=back,
            dangerous=True,
        )


@site.admin_for(Group)
class StaffGroupAdmin(DjangoGroupAdmin, StoreModelAdmin):  # type: ignore[misc]
    menu_title, menu_order, icon = _("Staff roles"), 81, "shield_person"
