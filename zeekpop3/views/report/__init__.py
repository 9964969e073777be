"""One page for the browser that holds what the tables say: figures, charts, and the mails themselves."""

from zeekpop3.views.report.page import write_report

__all__ = ["write_report"]
