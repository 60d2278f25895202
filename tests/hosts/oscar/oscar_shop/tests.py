"""django-oscar with the API in it. `manage.py test oscar_shop` runs this; so does the test suite, in a process of its own."""

from decimal import Decimal
from unittest import mock

from django.contrib.auth import get_user_model
from django.test import TestCase
from django.urls import reverse
from oscar.apps.partner import strategy
from oscar.core.loading import get_model

from oscar_shop.plugs import OscarCatalog
from storefront.contracts import Sku
from storefront.testing import CatalogContract
from tests.hosts.story import Neighbours, ShopperStory, Wares

Partner, StockRecord = get_model("partner", "Partner"), get_model("partner", "StockRecord")
Product, ProductClass = get_model("catalogue", "Product"), get_model("catalogue", "ProductClass")


class WithGst(strategy.UseFirstStockRecord, strategy.StockRequired, strategy.FixedRateTax, strategy.Structured):
    rate = Decimal("0.18")


class OscarWares(Wares):
    store_id = "bazaar"

    def catalog(self):
        return OscarCatalog()

    def put(self, ware):
        kind, _new = ProductClass.objects.get_or_create(name="Goods")
        if not ware.sizes:
            product = Product.objects.create(title=ware.name, product_class=kind)
            self.stock(product, ware)
            return [Sku(str(product.pk))]
        parent = Product.objects.create(title=ware.name, product_class=kind, structure=Product.PARENT)
        children = [Product.objects.create(title=name, parent=parent, structure=Product.CHILD) for name in ware.sizes]
        for child in children:
            self.stock(child, ware)
        return [Sku(str(parent.pk), str(child.pk)) for child in children]

    def stock(self, product, ware):
        partner, _new = Partner.objects.get_or_create(name="Warehouse")
        StockRecord.objects.create(
            product=product,
            partner=partner,
            partner_sku=f"SKU-{product.pk}",
            price=ware.price,
            num_in_stock=ware.stock + 2,
            num_allocated=2,
        )

    def withdraw(self, product_id):
        Product.objects.filter(pk=product_id).update(is_public=False)


class TestCatalog(OscarWares, CatalogContract, TestCase):
    def setUp(self):
        self.new_store()

    def test_the_shops_strategy_decides_on_tax(self):
        (tea,) = self.put(self.tea)
        with mock.patch.object(strategy.Selector, "strategy", return_value=WithGst()):
            sellable = self.sold(tea)[tea]
        assert (sellable.selling_price, sellable.tax_rate) == (Decimal("496.19"), Decimal("18.00"))
        assert sellable.price_including_tax is True

    def test_another_currency_is_not_sold(self):
        (tea,) = self.put(self.tea)
        StockRecord.objects.update(price_currency="GBP")
        assert self.sold(tea)[tea].active is False

    def test_a_product_without_stock_record_is_not_sold(self):
        (tea,) = self.put(self.tea)
        StockRecord.objects.all().delete()
        assert self.sold(tea)[tea].active is False


class TestShopper(OscarWares, ShopperStory, TestCase):
    def test_oscars_own_basket_is_another_one(self):
        self.visitor().post("/carts", {"items": [{"product_id": self.tea_sku.product_id, "quantity": 1}]})
        assert not get_model("basket", "Basket").objects.exists()


class TestNeighbours(Neighbours, TestCase):
    def test_oscars_own_pages_basket_and_dashboard_work_as_before(self):
        get_user_model().objects.create_superuser("boss", "boss@example.com", "a-long-password")
        (sku,) = OscarWares().put(OscarWares.tea)
        product = Product.objects.get(pk=sku.product_id)
        assert self.client.get(reverse("catalogue:index")).status_code == 200
        assert b"Assam" in self.client.get(product.get_absolute_url()).content
        added = self.client.post(reverse("basket:add", args=[product.pk]), {"quantity": 2})
        assert added.status_code == 302
        assert b"Assam" in self.client.get(reverse("basket:summary")).content
        assert self.client.login(username="boss@example.com", password="a-long-password")
        for page in ("dashboard:index", "dashboard:catalogue-product-list", "admin:index"):
            assert self.client.get(reverse(page)).status_code == 200
