"""On SQLite, vowel signs and other marks become parts of words in the text index, as they are on PostgreSQL.

Before, each sign cut the word that it belongs to, so that Indian words with other vowels were found too.
"""

from django.db import migrations

TABLE = "storefront_catalog_searchtext"
COLUMNS = "name, codes, facts, description"
TRIGGER = f"""
    CREATE TRIGGER sf_search_entry_deleted AFTER DELETE ON storefront_catalog_searchentry BEGIN
        DELETE FROM {TABLE} WHERE rowid = old.id;
    END
"""  # noqa: S608


def _tokenized(schema_editor, options):
    if schema_editor.connection.vendor != "sqlite":
        return
    for statement in (
        "DROP TRIGGER IF EXISTS sf_search_entry_deleted",
        f'CREATE VIRTUAL TABLE {TABLE}_new USING fts5({COLUMNS}, tokenize = "porter unicode61 {options}")',
        f"INSERT INTO {TABLE}_new (rowid, {COLUMNS}) SELECT rowid, {COLUMNS} FROM {TABLE}",  # noqa: S608
        f"DROP TABLE {TABLE}",
        f"ALTER TABLE {TABLE}_new RENAME TO {TABLE}",
        TRIGGER,
    ):
        schema_editor.execute(statement)


def with_marks(apps, schema_editor):
    _tokenized(schema_editor, "remove_diacritics 2 categories 'L* N* Co M*'")


def without_marks(apps, schema_editor):
    _tokenized(schema_editor, "remove_diacritics 2")


class Migration(migrations.Migration):
    dependencies = [("storefront_catalog", "0015_imports_move_to_the_kernel")]

    operations = [migrations.RunPython(with_marks, without_marks)]
