"""Products in and out of files: one flat format, a row for each variant. `docs/import.md` describes it."""
