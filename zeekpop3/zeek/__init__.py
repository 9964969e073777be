"""Runs the zeek program; reads Zeek's other logs."""

from __future__ import annotations

from zeekpop3.zeek.program import find_zeek, record, scripts_dir

__all__ = ["find_zeek", "record", "scripts_dir"]
