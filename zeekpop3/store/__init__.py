"""Parquet tables on disk: written completely or not at all, read back with filters, merged, pruned."""
