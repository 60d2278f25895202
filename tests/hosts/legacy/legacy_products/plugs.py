"""The shop's products, as carts of the API see them."""

from decimal import Decimal

from django.conf import settings

from storefront import selectors as kernel
from storefront.contracts import Sellable
from storefront.ids import whole_number
from storefront.items import item

from .models import Category, Product, Size


class LegacyCatalog:
    def sellables(self, store_id, skus, *, group_id=None):
        if store_id != settings.SHOP_STORE_ID:
            return {}
        wanted = {sku: (whole_number(sku.product_id), whole_number(sku.variant_id)) for sku in skus}
        ids = {product for product, _size in wanted.values() if product is not None}
        if not ids:
            return {}
        products = Product.objects.in_bulk(ids)
        sizes = {(size.product_id, size.pk): size for size in Size.objects.filter(product__in=ids)}
        varying = {product for product, _size in sizes}
        found = {}
        for sku, (product_id, size_id) in wanted.items():
            product, size = products.get(product_id), sizes.get((product_id, size_id))
            if product is not None and (size is not None or not sku.variant_id):
                found[sku] = self.sellable(sku, product, size, needs_size=size is None and product_id in varying)
        return found

    def sellable(self, sku, product, size, *, needs_size):
        rupees = Decimal(product.price_paise + (size.surcharge_paise if size else 0)) / 100
        return Sellable(
            sku=sku,
            code=(size or product).code or None,
            slug=product.page,
            product_name=product.title,
            variant_name=size.name if size else None,
            image_url=product.picture,
            active=product.on_sale,
            needs_variant=needs_size,
            listing_price=max(Decimal(product.mrp_paise) / 100, rupees),
            selling_price=rupees,
            tax_rate=product.gst,
            available=max((size or product).left, 0),
            category_ids=(str(product.category_id),),
        )

    def category_names(self, store_id, category_ids):
        wanted = {whole_number(pk) for pk in category_ids} - {None}
        if store_id != settings.SHOP_STORE_ID or not wanted:
            return {}
        return {str(pk): name for pk, name in Category.objects.filter(pk__in=wanted).values_list("pk", "name")}

    def items(self, store_id, skus, *, group_id=None):
        currency = kernel.store(store_id).currency
        found = self.sellables(store_id, skus, group_id=group_id)
        return {
            sku: item(sellable, currency=currency)
            for sku, sellable in found.items()
            if sellable.active and not sellable.needs_variant
        }
