"""The legacy shop with the API in it. `manage.py test` runs this; so does the test suite, in a process of its own."""

from django.contrib.auth import get_user_model
from django.test import TestCase
from django.urls import reverse
from legacy_products.models import Category, Product, Size
from legacy_products.plugs import LegacyCatalog

from accounts.models import User as Shopper
from storefront.contracts import Sku
from storefront.testing import CatalogContract
from tests.hosts.story import Neighbours, ShopperStory, Wares


class LegacyWares(Wares):
    store_id = "bazaar"

    def catalog(self):
        return LegacyCatalog()

    def put(self, ware):
        number = Product.objects.count() + 1
        paise = int(ware.price * 100)
        category, _new = Category.objects.get_or_create(name="All")
        product = Product.objects.create(
            category=category,
            title=ware.name,
            page=f"page-{number}",
            mrp_paise=paise + 1000,
            price_paise=paise,
            left=ware.stock,
        )
        sizes = [Size.objects.create(product=product, name=name, left=ware.stock) for name in ware.sizes]
        return [Sku(str(product.pk), str(size.pk)) for size in sizes] or [Sku(str(product.pk))]

    def withdraw(self, product_id):
        Product.objects.filter(pk=product_id).update(on_sale=False)


class TestCatalog(LegacyWares, CatalogContract, TestCase):
    def setUp(self):
        self.new_store()


class TestShopper(LegacyWares, ShopperStory, TestCase):
    def test_a_member_of_the_shop_is_found_again(self):
        """A row for each member and contact is all; who proves the contact is that member."""
        from legacy_accounts.members import welcome

        member = get_user_model().objects.create_user("asha", "asha@example.com", "a-long-password", first_name="Asha")
        welcome(member, store=self.store)
        api = self.logged_in(self.visitor(), "asha@example.com")
        shopper = Shopper.objects.get(pk=api.user_id)
        assert (shopper.host_user, shopper.first_name) == (member, "Asha")
        assert Shopper.objects.count() == 1
        login = {"email": "asha@example.com", "password": "a-long-password"}
        assert self.visitor().post("/auth/login/password", login).status_code == 200

    def test_a_browser_may_call_from_another_origin_but_only_the_api(self):
        asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        asked["Access-Control-Request-Headers"] = "authorization,content-type"
        answer = self.client.options("/api/v1/bazaar/storefront/carts", headers=asked)
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (200, "*")
        assert "authorization" in answer["Access-Control-Allow-Headers"]
        assert not self.client.get("/products/", headers=asked).has_header("Access-Control-Allow-Origin")


class TestNeighbours(Neighbours, TestCase):
    def test_the_shops_own_pages_and_admin_work_as_before(self):
        staff = get_user_model().objects.create_superuser("boss", "boss@example.com", "a-long-password")
        (sku,) = LegacyWares().put(LegacyWares.tea)
        assert "Assam" in self.client.get(reverse("catalog:list")).content.decode()
        assert self.client.get(reverse("catalog:detail", args=["page-1"])).content == b"Assam: 420.50"
        assert self.client.get(reverse("accounts:profile")).status_code == 302
        entered = self.client.post(
            reverse("accounts:login"), {"username": "boss@example.com", "password": "a-long-password"}
        )
        assert entered.status_code == 302
        assert b"boss@example.com has 0 points" in self.client.get(reverse("accounts:profile")).content
        self.client.force_login(staff)
        for page in ("admin:index", "admin:catalog_product_changelist", "admin:accounts_user_changelist"):
            answer = self.client.get(reverse(page))
            assert answer.status_code == 200
            assert b"Django administration" in answer.content
            assert b"unfold" not in answer.content
        change = reverse("admin:catalog_product_change", args=[sku.product_id])
        assert self.client.get(change).status_code == 200
        assert self.client.get("/products").status_code == 301  # its own way with slashes is kept
