from django.db import models


class Category(models.Model):
    name = models.CharField(max_length=80)


class Product(models.Model):
    """What the shop sells: numbers as ids, prices in paise, stock in one column. Written long before any API."""

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="products")
    title = models.CharField(max_length=200)
    page = models.SlugField(unique=True)
    code = models.CharField(max_length=40, blank=True)
    mrp_paise = models.IntegerField()
    price_paise = models.IntegerField()
    gst = models.DecimalField(max_digits=4, decimal_places=2, default=18)
    left = models.IntegerField(default=0)
    picture = models.CharField(max_length=200, blank=True)
    on_sale = models.BooleanField(default=True)

    def __str__(self):
        return self.title


class Size(models.Model):
    """A product that has some is sold by size only."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="sizes")
    name = models.CharField(max_length=20)
    code = models.CharField(max_length=40, blank=True)
    surcharge_paise = models.IntegerField(default=0)
    left = models.IntegerField(default=0)
