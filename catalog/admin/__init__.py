"""Admin pages of the catalogue."""

from .. import bulk_pages
from ..reviews.admin import ReviewAdmin
from ..transfer import pages
from .products import ProductAdmin
from .tree import AttributeAdmin, BrandAdmin, CategoryAdmin, ChoiceAdmin
from .variants import VariantAdmin

pages.register()
bulk_pages.register()

__all__ = [
    "AttributeAdmin",
    "BrandAdmin",
    "CategoryAdmin",
    "ChoiceAdmin",
    "ProductAdmin",
    "ReviewAdmin",
    "VariantAdmin",
]
