from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('storefront', '0009_staff_access'),
    ]

    operations = [
        migrations.AddField(
            model_name='idempotencyrecord',
            name='claimed_until',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='idempotencyrecord',
            name='effect_id',
            field=models.CharField(blank=True, max_length=26),
        ),
    ]
