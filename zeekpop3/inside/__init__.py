"""What lies in attached files: their members, their links, whether they were looked into.

`parse` is `message.parse` with the files read: the whole record of a mail.
"""

from __future__ import annotations

from zeekpop3 import message
from zeekpop3.inside.mail_files import MailFiles
from zeekpop3.message import Mail


def parse(
    raw: bytes | bytearray | memoryview,
    *,
    complete: bool = True,
    exact: bool = True,
    preview: bool = False,
    content: bool = False,
) -> Mail:
    """The record of the mail `raw`. What is wrong with it is in `defects`; only text instead of
    bytes raises, a UsageError.

    `complete`: False if the end of the mail was not captured (TOP, a lost connection); a missing end is then
    reported as `truncated`. `exact`: False if `raw` is not byte for byte what the server sent; bodies of DKIM
    signatures are then not checked. `preview`: True if `raw` may be only the first part of the mail (the
    answer to TOP): a body that does not have the signed hash is then not called changed. Neither is an
    empty body, because the header may have been fetched alone. `content`: keep the decoded content of
    attachments.
    """
    return message.parse(raw, MailFiles, complete=complete, exact=exact, preview=preview, content=content)


__all__ = ["parse"]
