"""The back office's foundation. The only package that knows the theme (django-unfold): replace it here.

An app's `admin.py` imports everything from here:

    from storefront.admin_base import StoreModelAdmin, site, display, ChoicesFilter

    @site.admin_for(Product)
    class ProductAdmin(StoreModelAdmin):
        menu, icon = "shop", "inventory_2"
        list_display = ("name", "state")
        list_filter = (("state", ChoicesFilter),)

What `StoreModelAdmin` brings: a store filter and column once there are two stores, the only store filled in and out of
sight while there is one, references kept within the store, selects that search for foreign keys, one query for a list
whatever its length, `created_at` read-only, readable JSON fields, and the panels that other apps add to the page.
"""

from __future__ import annotations

from storefront.admin_base.admin_site import MENU, StoreAdminSite, default_site, site
from storefront.admin_base.amounts import money
from storefront.admin_base.decorators import ActionVariant, action, display
from storefront.admin_base.filters import (
    BooleanFilter,
    ChoicesFilter,
    DateRangeFilter,
    DropdownFilter,
    MultipleChoicesFilter,
    NumberRangeFilter,
    RelatedFilter,
    SearchFilter,
    TextFilter,
)
from storefront.admin_base.forms import (
    AdminOwnPasswordChangeForm,
    AdminPasswordChangeForm,
    DialogForm,
    StoreInlineFormSet,
    UserChangeForm,
    UserCreationForm,
    credential_fields,
)
from storefront.admin_base.frame import account_links, environment, favicon, menu, script, stylesheet
from storefront.admin_base.inlines import StoreStackedInline, StoreTabularInline
from storefront.admin_base.links import change_link, list_link, masked, masked_column
from storefront.admin_base.options import ReadOnlyAdmin
from storefront.admin_base.pages import BoundedPaginator, StoreModelAdmin
from storefront.admin_base.widgets import (
    INPUT_CLASS,
    CheckboxesWidget,
    FileWidget,
    JsonWidget,
    PasswordWidget,
    SelectManyWidget,
    SelectSearchWidget,
    SelectWidget,
    SwitchWidget,
    TextareaWidget,
    TextWidget,
    readable,
)

__all__ = [
    "INPUT_CLASS",
    "MENU",
    "ActionVariant",
    "AdminOwnPasswordChangeForm",
    "AdminPasswordChangeForm",
    "BooleanFilter",
    "BoundedPaginator",
    "CheckboxesWidget",
    "ChoicesFilter",
    "DateRangeFilter",
    "DialogForm",
    "DropdownFilter",
    "FileWidget",
    "JsonWidget",
    "MultipleChoicesFilter",
    "NumberRangeFilter",
    "PasswordWidget",
    "ReadOnlyAdmin",
    "RelatedFilter",
    "SearchFilter",
    "SelectManyWidget",
    "SelectSearchWidget",
    "SelectWidget",
    "StoreAdminSite",
    "StoreInlineFormSet",
    "StoreModelAdmin",
    "StoreStackedInline",
    "StoreTabularInline",
    "SwitchWidget",
    "TextFilter",
    "TextWidget",
    "TextareaWidget",
    "UserChangeForm",
    "UserCreationForm",
    "account_links",
    "action",
    "change_link",
    "credential_fields",
    "default_site",
    "display",
    "environment",
    "favicon",
    "list_link",
    "masked",
    "masked_column",
    "menu",
    "money",
    "readable",
    "script",
    "site",
    "stylesheet",
]
