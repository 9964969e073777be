"""Functions that SQL statements may call, beside DuckDB's own: host_of, site_of, shape_of, path_of,
has_name_of."""

from __future__ import annotations

import unicodedata
from typing import Any

import duckdb

from zeekpop3.message import urls
from zeekpop3.message.sites import normal_host
from zeekpop3.message.sites import site_of as site_of_host

_PATH_OF = r"""
    create macro path_of(url) as
        regexp_replace(regexp_extract(url, '^[^:]+://[^/?#]*([^#]*)', 1), '^(\?|$)', '/\1')
"""
_HAS_NAME_OF = r"""
    create macro has_name_of(host, site) as
        list_contains(string_split_regex(shape_of(host), '[.-]'), shape_of(split_part(site, '.', 1)))
"""
#: Letters of other alphabets, and digits, by the Latin letters that they look like.
_LATIN = str.maketrans(
    "01345689аеорсухіїјѕԁԛԝһкмнтвгαβεικνορτυωıłøđ|$!@",
    "oleasbbgaeopcyxiijsdqwhkmhtbrabeiknoptuwilodlsia",
)


def host_of(text: str | None) -> str | None:
    """The host of a URL, or a host: lower case, IDN decoded."""
    if text is None:
        return None
    return (urls.split(text)[1] if "://" in text else normal_host(text)) or None


def site_of(text: str | None) -> str | None:
    """The registered domain of a URL or a host; NULL for IP addresses."""
    host = host_of(text)
    return None if host is None else site_of_host(host)


def shape_of(text: str | None) -> str | None:
    """The Latin letters that a text looks like: "c0rp" and "сorp" become "corp", "rn" becomes "m"."""
    if text is None:
        return None
    letters = unicodedata.normalize("NFKD", text.lower()).translate(_LATIN)
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return letters.replace("rn", "m").replace("vv", "w").replace("i", "l")


def add_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to a connection.

    Macros: `path_of(url)` is path and query, as in http.log; `has_name_of(host, site)`: a word of the host
    looks like the first label of the site.
    """
    nulls: dict[str, Any] = {"null_handling": "special"}
    for function in (host_of, site_of, shape_of):
        connection.create_function(function.__name__, function, ["VARCHAR"], "VARCHAR", **nulls)
    connection.execute(_PATH_OF)
    connection.execute(_HAS_NAME_OF)
