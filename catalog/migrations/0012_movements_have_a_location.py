import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("storefront_catalog", "0011_all_stock_in_default_locations")]
    operations = [
        migrations.AlterField(
            model_name="stockmovement",
            name="location",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="storefront.stocklocation",
                verbose_name="location",
            ),
        ),
    ]
