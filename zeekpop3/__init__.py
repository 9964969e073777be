"""zeekpop3: the mail that users fetch over POP3, as Zeek saw it."""

__version__ = "0.1.0"
