"""Parquet tables on disk: `DIR/<table>/day=YYYY-MM-DD/part-….parquet`.

`files` writes any file, completely or not at all; `parquet` writes the parts of tables, `write` opens an
output folder for a run. `filters` and `read` read tables of any schema version back, `duck` asks them in SQL.
`merge` joins small parts, `prune` removes old days, `catalog` registers finished days.
`locks` has the one lock that all of them use.
"""
