"""Bytes of one mail in, its record out: linear in time, bounded in memory, whatever comes.

Offsets into the bytes, no tree of objects: fields, structure, transfer, bodies, attachments are rooms with
one rule each; `record` goes through them. What is looked up often is Final, so that the compiled parser need
not look it up; the bounds are not, since tests lower them.
"""

from zeekpop3.message.attachments import Attachment
from zeekpop3.message.received import Received
from zeekpop3.message.record import Mail, parse

__all__ = ["Attachment", "Mail", "Received", "parse"]
