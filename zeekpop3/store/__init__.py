"""Parquet tables on disk: `DIR/<table>/day=YYYY-MM-DD/part-….parquet`.

`files` writes any file, completely or not at all, and has the locks; `parquet` writes the parts of tables,
`write` opens an output folder for a run. `filters` and `read` read tables of any schema version back,
`dataset` gives them as Arrow datasets and to DuckDB. `maintenance` joins small parts and removes old days,
`catalog` registers finished days.
"""
