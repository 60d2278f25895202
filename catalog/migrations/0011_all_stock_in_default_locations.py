from django.db import migrations

PLACES = """
    INSERT INTO storefront_catalog_locationstock
        (store_id, variant_id, location_id, on_hand, reserved, backorder, modified_at)
    SELECT s.store_id, s.variant_id, l.id, s.on_hand, s.reserved, s.backorder, s.modified_at
    FROM storefront_catalog_stock s
    JOIN storefront_stocklocation l ON l.store_id = s.store_id AND l.is_default = TRUE
    WHERE s.on_hand <> 0 OR s.reserved <> 0
"""
MOVEMENTS = """
    UPDATE storefront_catalog_stockmovement SET location_id = (
        SELECT l.id FROM storefront_stocklocation l
        WHERE l.store_id = storefront_catalog_stockmovement.store_id AND l.is_default = TRUE)
    WHERE location_id IS NULL
"""


class Migration(migrations.Migration):
    """Backwards, what lies where is forgotten: the sums stay."""

    dependencies = [("storefront_catalog", "0010_stock_by_location")]
    operations = [
        migrations.RunSQL(PLACES, "DELETE FROM storefront_catalog_locationstock"),
        migrations.RunSQL(MOVEMENTS, migrations.RunSQL.noop),
    ]
