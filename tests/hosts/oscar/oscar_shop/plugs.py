"""Oscar's catalogue, as carts of the API see it. Prices and stock come from the strategy that Oscar's pages use."""

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce
from oscar.core.loading import get_class, get_model

from storefront import selectors as kernel
from storefront.contracts import Sellable
from storefront.ids import whole_number
from storefront.items import item
from storefront.money import ZERO, percent_of, rounded


class OscarCatalog:
    def sellables(self, store_id, skus, *, group_id=None):
        if store_id != settings.SHOP_STORE_ID:
            return {}
        # A child of Oscar's is a variant here, and its parent the product.
        wanted = {sku: (whole_number(sku.product_id), whole_number(sku.variant_id or sku.product_id)) for sku in skus}
        products = self.products({pk for _parent, pk in wanted.values() if pk is not None})
        strategy = get_class("partner.strategy", "Selector")().strategy()
        currency = kernel.store(store_id).currency
        found = {}
        for sku, (parent_id, pk) in wanted.items():
            product = products.get(pk)
            if product is not None and (product.parent_id == parent_id if sku.variant_id else not product.parent_id):
                found[sku] = self.sellable(sku, product, strategy, currency)
        return found

    def products(self, pks):
        """One query, and one for the stock records of all."""
        if not pks:
            return {}
        image = get_model("catalogue", "ProductImage").objects.filter(
            product=Coalesce(OuterRef("parent_id"), OuterRef("pk"))
        )
        rows = get_model("catalogue", "Product").objects.filter(pk__in=pks)
        rows = rows.select_related("product_class", "parent__product_class").prefetch_related("stockrecords")
        return {row.pk: row for row in rows.annotate(picture=Subquery(image.values("original")[:1]))}

    def sellable(self, sku, product, strategy, currency):
        seen = {
            "sku": sku,
            "code": product.upc or None,
            "slug": product.parent.slug if product.is_child else product.slug,
            "product_name": product.parent.get_title() if product.is_child else product.get_title(),
            "variant_name": product.title if product.is_child else None,
            "product_type": "physical" if product.get_product_class().requires_shipping else "digital",
            "image_url": default_storage.url(product.picture) if product.picture else "",
        }
        if product.is_parent:
            return Sellable(**seen, needs_variant=True)
        price, availability, _record = strategy.fetch_for_product(product)
        if not price.exists or price.currency != currency.code:
            return Sellable(**seen, active=False)
        amount = rounded(price.incl_tax if price.is_tax_known else price.excl_tax, currency)
        return Sellable(
            **seen,
            active=product.is_public and (not product.is_child or product.parent.is_public),
            listing_price=amount,
            selling_price=amount,
            price_including_tax=price.is_tax_known,
            tax_rate=percent_of(price.tax, price.excl_tax) if price.is_tax_known else ZERO,
            available=self.available(availability),
        )

    def available(self, policy):
        if hasattr(policy, "num_available"):
            return max(policy.num_available, 0)
        return None if policy.is_available_to_buy else 0

    def items(self, store_id, skus, *, group_id=None):
        currency = kernel.store(store_id).currency
        found = self.sellables(store_id, skus, group_id=group_id)
        return {
            sku: item(sellable, currency=currency)
            for sku, sellable in found.items()
            if sellable.active and not sellable.needs_variant
        }
