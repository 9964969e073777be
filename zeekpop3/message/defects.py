"""What can be wrong with a mail: a closed list of names. A defect is said once, and never stops a record.

Rooms report a defect by adding its name to a dictionary that serves as an ordered set: a mail with half a
million broken lines costs no more than one with a single broken line.
"""

from __future__ import annotations

from typing import Final

Defects = dict[str, None]

DEFECTS: Final[dict[str, str]] = {
    "address_malformed": "An address field was split by its looks: a quote or comment is not closed, or a "
    "comma is missing.",
    "addresses_cut": "An address field holds more addresses than are kept.",
    "attachment_unpack_failed": "A container (winmail.dat, uuencode) could not be unpacked; it is kept as it "
    "came.",
    "attachments_cut": "There are more attachments than are kept.",
    "base64_broken": "Base64 has characters that it does not know, or its end is missing; the rest was "
    "decoded.",
    "base64_trailing_text": "Base64 is followed by lines that are none (a list's footer, a scanner's "
    "note); they were left out.",
    "boundary_guessed": "A multipart does not say its boundary, or another than is used; the one in use was "
    "taken.",
    "boundary_missing": "No line with a multipart's boundary was found; its content was read as text.",
    "boundary_unclosed": "A multipart ends without its closing boundary.",
    "charset_broken": "Text does not decode in its charset; what does not is U+FFFD.",
    "charset_guessed": "There is 8-bit text without a charset, or with an impossible one: a charset was "
    "guessed.",
    "charset_unknown": "A charset's name is unknown, or is no charset for text.",
    "charset_wrong": "Text does not decode in the charset that it names, but does in the one that was used.",
    "content_type_malformed": "Content-Type cannot be read; text/plain was assumed (RFC 2045, section 5.2).",
    "date_malformed": "Date cannot be read.",
    "date_zone_unknown": "Date names a zone that is not known; UTC was assumed (RFC 5322, section 4.3).",
    "duplicate_header": "A field that may stand once (RFC 5322, section 3.6) stands more often.",
    "encoded_word_broken": "An encoded word (RFC 2047) cannot be decoded, or not wholly.",
    "encoding_unknown": "Content-Transfer-Encoding is unknown; the content was taken as it stands.",
    "encoding_wrong": "The content is not in the transfer encoding that it names; it was taken as it stands.",
    "header_cut": "A header block is too long, or has too many fields; the rest of it was not read.",
    "header_malformed": "A line in the header is neither a field nor a continuation; it was left out.",
    "header_missing": "The mail has no header at all.",
    "nesting_cut": "Parts are nested too deeply; what lies deeper was not read.",
    "parameter_malformed": "A parameter of a MIME field is broken (RFC 2231 pieces missing, quotes not "
    "closed).",
    "parts_cut": "There are more parts than are kept.",
    "received_cut": "There are more Received fields than are kept.",
    "references_cut": "There are more references than are kept.",
    "truncated": "The mail was not seen to its end, and breaks off inside a part.",
    "urls_cut": "There are more URLs than are kept.",
    "uuencode_broken": "A uuencoded block is broken or not closed; what decodes of it was kept.",
}
"""Every name that a mail's `defects` may hold, with what it says."""
