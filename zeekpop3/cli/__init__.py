"""The command line: options in, lines and exit codes out. Only this package prints."""

from __future__ import annotations

from zeekpop3.cli.app import app, main

__all__ = ["app", "main"]
