from django.db import migrations

from storefront.ids import new_ulid


def make(apps, schema_editor):
    """Every store that is there already gets its default location."""
    Store = apps.get_model("storefront", "Store")
    StockLocation = apps.get_model("storefront", "StockLocation")
    have = StockLocation.objects.filter(is_default=True).values("store")
    StockLocation.objects.bulk_create(
        StockLocation(id=new_ulid(), store_id=pk, name="Main", is_default=True)
        for pk in Store.objects.exclude(pk__in=have).values_list("pk", flat=True)
    )


class Migration(migrations.Migration):
    dependencies = [("storefront", "0002_stock_locations")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
