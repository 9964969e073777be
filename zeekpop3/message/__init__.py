"""Bytes of one mail → its record, in linear time and bounded memory, whatever the mail contains.

Modules work on offsets into the bytes and keep one rule each; `mail.parse` goes through them in order. They
report what is wrong by adding a name from `zeekpop3.defects` to a dictionary. What lies in attached files is
read by `zeekpop3.inside`, whose `parse` gives the whole record.
"""

from zeekpop3.message.files import Attachment, Member
from zeekpop3.message.mail import Mail, parse
from zeekpop3.message.received import Received

__all__ = ["Attachment", "Mail", "Member", "Received", "parse"]
