"""The tables of product search, and what each database adds to them to search text.

PostgreSQL gets three extensions (all trusted: the owner of the database may create them), a text search configuration
that stems and ignores accents, and GIN indexes. SQLite gets two FTS5 tables, which triggers keep without orphans.
Fill the index of existing products with `manage.py rebuild_search`.
"""

import catalog.search.models
import django.db.models.deletion
from django.db import migrations, models

POSTGRESQL = [
    # Not Django's operations for extensions: those cannot be undone on SQLite, and would drop what others may use.
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE EXTENSION IF NOT EXISTS unaccent",
    "CREATE EXTENSION IF NOT EXISTS btree_gin",
    """
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_ts_config WHERE cfgname = 'storefront_search') THEN
            CREATE TEXT SEARCH CONFIGURATION storefront_search (COPY = pg_catalog.english);
            ALTER TEXT SEARCH CONFIGURATION storefront_search
                ALTER MAPPING FOR hword, hword_part, word, asciiword, asciihword, hword_asciipart
                WITH unaccent, english_stem;
        END IF;
    END $$
    """,
    "ALTER TABLE storefront_catalog_searchentry ADD COLUMN document tsvector NOT NULL DEFAULT ''",
    # Most reads want a row's facts and not its words: kept out of line, they leave the table small enough to scan.
    "ALTER TABLE storefront_catalog_searchentry ALTER COLUMN document SET STORAGE EXTERNAL",
    "ALTER TABLE storefront_catalog_searchentry SET (toast_tuple_target = 512)",
    "CREATE INDEX sf_search_entry_document ON storefront_catalog_searchentry USING gin (store_id, document)",
    "CREATE INDEX sf_search_entry_terms ON storefront_catalog_searchentry USING gin (terms)",
    "CREATE INDEX sf_search_word_trigrams ON storefront_catalog_searchword USING gin (store_id, word gin_trgm_ops)",
    "CREATE INDEX sf_search_word_prefix ON storefront_catalog_searchword (store_id, word varchar_pattern_ops)",
]
SQLITE = [
    """
    CREATE VIRTUAL TABLE storefront_catalog_searchtext USING fts5(
        name, codes, facts, description, tokenize = 'porter unicode61 remove_diacritics 2')
    """,
    "CREATE VIRTUAL TABLE storefront_catalog_searchspelling USING fts5(word, tokenize = 'trigram')",
    """
    CREATE TRIGGER sf_search_entry_deleted AFTER DELETE ON storefront_catalog_searchentry BEGIN
        DELETE FROM storefront_catalog_searchtext WHERE rowid = old.id;
    END
    """,
    # Blanks around a word let its first and last letters count as much as those inside.
    """
    CREATE TRIGGER sf_search_word_added AFTER INSERT ON storefront_catalog_searchword BEGIN
        INSERT INTO storefront_catalog_searchspelling (rowid, word) VALUES (new.id, '  ' || new.word || ' ');
    END
    """,
    """
    CREATE TRIGGER sf_search_word_deleted AFTER DELETE ON storefront_catalog_searchword BEGIN
        DELETE FROM storefront_catalog_searchspelling WHERE rowid = old.id;
    END
    """,
]
UNDO_POSTGRESQL = [
    "DROP INDEX IF EXISTS sf_search_entry_document",
    "ALTER TABLE storefront_catalog_searchentry DROP COLUMN document",
    "DROP TEXT SEARCH CONFIGURATION IF EXISTS storefront_search",
]
UNDO_SQLITE = [
    "DROP TRIGGER IF EXISTS sf_search_entry_deleted",
    "DROP TRIGGER IF EXISTS sf_search_word_added",
    "DROP TRIGGER IF EXISTS sf_search_word_deleted",
    "DROP TABLE IF EXISTS storefront_catalog_searchtext",
    "DROP TABLE IF EXISTS storefront_catalog_searchspelling",
]


def add(apps, schema_editor):
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement)


def undo(apps, schema_editor):
    for statement in UNDO_POSTGRESQL if schema_editor.connection.vendor == "postgresql" else UNDO_SQLITE:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [
        ("storefront", "0001_initial"),
        ("storefront_catalog", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_standalone", models.BooleanField()),
                ("is_bundle", models.BooleanField()),
                ("sku", models.CharField(blank=True, max_length=64)),
                ("sku_key", models.CharField(blank=True, max_length=80)),
                ("product_name", models.CharField(max_length=200)),
                ("product_key", models.CharField(max_length=400)),
                ("variant_name", models.CharField(blank=True, max_length=400)),
                ("variant_key", models.CharField(blank=True, max_length=800)),
                ("rating", models.FloatField(null=True)),
                ("terms", catalog.search.models.TermIds(default=list)),
                ("prices", models.JSONField(default=dict)),
                ("digest", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                (
                    "product",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="storefront_catalog.product",
                    ),
                ),
                (
                    "store",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="storefront.store",
                    ),
                ),
                (
                    "variant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="storefront_catalog.variant"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "search entries",
                "indexes": [
                    models.Index(fields=["product"], name="sf_search_entry_product"),
                    models.Index(fields=["store", "sku_key"], name="sf_search_entry_sku"),
                    models.Index(fields=["store", "-created_at", "-variant"], name="sf_search_entry_newest"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SearchTerm",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("key", models.CharField(max_length=200)),
                ("value", models.CharField(max_length=200)),
                ("number", models.FloatField(null=True)),
                (
                    "store",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="storefront.store",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("store", "name", "key"), name="storefront_catalog_search_term")
                ],
            },
        ),
        migrations.CreateModel(
            name="SearchWord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("word", models.CharField(max_length=40)),
                (
                    "store",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="storefront.store",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("store", "word"), name="storefront_catalog_search_word")
                ],
            },
        ),
        migrations.RunPython(add, undo),
    ]
