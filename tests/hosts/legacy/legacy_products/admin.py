from django.contrib import admin

from .models import Category, Product, Size


class Sizes(admin.TabularInline):
    model = Size


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("title", "code", "left", "on_sale")
    inlines = (Sizes,)


admin.site.register(Category)
