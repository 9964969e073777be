"""Mails as documents for other systems: ECS, OCSF, plain JSON, and Zeek logs; each mail once.

Only the names of the formats are here: the command line imports them at every start.
"""

from enum import StrEnum


class ExportFormat(StrEnum):
    """The names of the formats."""

    ecs = "ecs"
    ocsf = "ocsf"
    json = "json"
    zeek = "zeek"
    zeek_json = "zeek-json"
    misp = "misp"
    stix = "stix"
