"""Parquet tables on disk: `DIR/<table>/day=YYYY-MM-DD/part-….parquet`.

`parquet` writes one file, completely or not at all. `parts` writes the parts of tables, `write` opens an
output folder for a run. `dataset` opens tables of any schema version, `filters` and `read` read them back.
`merge` joins small parts, `prune` removes old days. `locks` has the one lock that all of them use.
"""
