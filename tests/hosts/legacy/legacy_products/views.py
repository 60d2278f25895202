from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.html import format_html_join

from .models import Product


def listing(request):
    return HttpResponse(format_html_join("", "<p>{}</p>", Product.objects.filter(on_sale=True).values_list("title")))


def detail(request, page):
    product = get_object_or_404(Product, page=page, on_sale=True)
    return HttpResponse(f"{product.title}: {product.price_paise / 100:.2f}")
