"""The names of all defects: each value that a `defects` column may hold, and what it means.

The list is closed. The session machine gives those of a session and of a transfer, the mail parser those of a
mail. A defect never stops a record, and each defect of a record is named once.
"""

from __future__ import annotations

from enum import StrEnum


class Defect(StrEnum):
    """A defect; `meaning` says what it means in one sentence."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Defect:
        defect = str.__new__(cls, name)
        defect._value_ = name
        defect.meaning = meaning
        return defect

    # Of a session, or of the transfer of a mail.
    ANSWER_MISSING = (
        "answer_missing",
        "The capture lost the whole answer to the request; nothing of the message is known.",
    )
    ANSWERED_EARLY = (
        "answered_early",
        "The server sent the message before the client requested it.",
    )
    BEGIN_UNSEEN = (
        "begin_unseen",
        "The capture does not have the beginning of the connection; a login before it is unknown.",
    )
    DESYNCHRONIZED = (
        "desynchronized",
        "Zeek's analyzer lost synchronisation after packet loss; message number unknown (plain form).",
    )
    DOT_NOT_DOUBLED = (
        "dot_not_doubled",
        "A line of the message starts with a single dot, which RFC 1939 has the server double; some "
        "clients remove it, others keep it, as here (exact form).",
    )
    END_UNSEEN = (
        "end_unseen",
        "The capture has neither QUIT nor the end of the connection; what came later is unknown.",
    )
    HEADER_FOLD_GUESSED = (
        "header_fold_guessed",
        "Folded header lines were restored by heuristics, because the log does not tell where header "
        "fields end (plain form).",
    )
    IDLE = (
        "idle",
        "The session was closed after a time without rows.",
    )
    LIMIT_REACHED = (
        "limit_reached",
        "A limit of the Zeek script was reached; a part of the connection is not in the log.",
    )
    LINES_NOT_KEPT = (
        "lines_not_kept",
        "The server answered another command than RETR or TOP with lines that no table has; a message "
        "without header fields may be among them.",
    )
    MESSAGE_TOO_LARGE = (
        "message_too_large",
        "A response exceeds the size limit, or listings exceed a million messages; the rest was dropped.",
    )
    NOT_UNDERSTOOD = (
        "not_understood",
        "The connection carried bytes on a POP3 port, but nothing in them proved to be POP3.",
    )
    NUMBER_DOUBTFUL = (
        "number_doubtful",
        "Message number uncertain: after a loss the size differs from the size in LIST, or responses "
        "may be out of step with the commands; then the user is unknown, too.",
    )
    REPLY_MALFORMED = (
        "reply_malformed",
        "The server sent a line that is not a reply.",
    )
    REQUEST_MISSING = (
        "request_missing",
        "The request was not captured; the command, and the number if set, are inferred.",
    )
    RESPONSE_UNSOLICITED = (
        "response_unsolicited",
        "The server sent a response that no line of the client requested.",
    )
    ROWS_MISSING = (
        "rows_missing",
        "Rows of the event log are missing (a hole in `seq`).",
    )
    STATUS_MISSING = (
        "status_missing",
        "The status line of the response was not captured.",
    )
    STREAM_AMBIGUOUS = (
        "stream_ambiguous",
        "The capture has two versions of the same bytes of the stream, or a SYN within it; which bytes "
        "the other end received is unknown.",
    )
    TERMINATOR_UNUSUAL = (
        "terminator_unusual",
        "The end of the message is not CRLF, dot, CRLF, or the message has another dot alone on a line; mail "
        "programs differ in where it ends.",
    )

    # Of a mail.
    ADDRESS_MALFORMED = (
        "address_malformed",
        "Malformed address field (unclosed quote or comment, missing comma, text in the wrong place); "
        "what a mail program would reply to is a guess.",
    )
    ADDRESSES_CUT = (
        "addresses_cut",
        "The address fields have more addresses than the limit.",
    )
    ATTACHMENT_UNPACK_FAILED = (
        "attachment_unpack_failed",
        "A container (winmail.dat, uuencode) could not be unpacked; it is kept as one attachment.",
    )
    ATTACHMENTS_CUT = (
        "attachments_cut",
        "The mail has more attachments than the limit.",
    )
    BASE64_BROKEN = (
        "base64_broken",
        "Invalid or truncated base64; the rest was decoded.",
    )
    BASE64_PADDING = (
        "base64_padding",
        "Base64 has padding before its end; decoding continued after it, as mail programs do.",
    )
    BASE64_TRAILING_TEXT = (
        "base64_trailing_text",
        "Non-base64 lines after base64 content (a list footer, a scanner's note); ignored.",
    )
    BOUNDARY_GUESSED = (
        "boundary_guessed",
        "A multipart declares no boundary, or a wrong one; the boundary in use was taken.",
    )
    BOUNDARY_MALFORMED = (
        "boundary_malformed",
        "A boundary line has text after the boundary, or bare CR as line end; parts were separated there.",
    )
    BOUNDARY_MISSING = (
        "boundary_missing",
        "No boundary line of a multipart was found; its content was read as text.",
    )
    BOUNDARY_UNCLOSED = (
        "boundary_unclosed",
        "A multipart ends without its closing boundary.",
    )
    CHARSET_BROKEN = (
        "charset_broken",
        "Text does not decode in its charset; undecodable bytes became U+FFFD.",
    )
    CHARSET_GUESSED = (
        "charset_guessed",
        "Text with 8-bit characters has no charset, or an impossible one; the charset was guessed.",
    )
    CHARSET_UNKNOWN = (
        "charset_unknown",
        "Unknown charset, or not a text charset.",
    )
    CHARSET_WRONG = (
        "charset_wrong",
        "Text does not decode in the declared charset; another charset fits and was used.",
    )
    CONTAINER_MALFORMED = (
        "container_malformed",
        "Programs read an archive or document differently (its directory and the headers in it disagree, "
        "entries overlap or are not listed, a size or checksum is wrong); `members` has each reading.",
    )
    CONTENT_TYPE_MALFORMED = (
        "content_type_malformed",
        "Content-Type has more or less than a type; without one, text/plain was assumed (RFC 2045, "
        "section 5.2).",
    )
    DATE_MALFORMED = (
        "date_malformed",
        "Date cannot be parsed, or programs read another date (a comment before the time, dots in it, a zone "
        "with a colon).",
    )
    DATE_ZONE_UNKNOWN = (
        "date_zone_unknown",
        "Unknown time zone in Date; UTC was assumed (RFC 5322, section 4.3).",
    )
    DKIM_CUT = (
        "dkim_cut",
        "The mail has more DKIM signatures than the limit; not all were kept or checked.",
    )
    DKIM_MALFORMED = (
        "dkim_malformed",
        "A DKIM signature (RFC 6376) is malformed; the body was not checked against it.",
    )
    DUPLICATE_HEADER = (
        "duplicate_header",
        "A field that may occur once (RFC 5322, section 3.6; RFC 2045) occurs more often, in the header "
        "of the mail or of a part; mail programs differ in which one they use.",
    )
    ENCLOSED_CUT = (
        "enclosed_cut",
        "The mail has more messages inside than the limit.",
    )
    ENCODED_WORD_BROKEN = (
        "encoded_word_broken",
        "An encoded word (RFC 2047) cannot be decoded completely.",
    )
    ENCODING_MALFORMED = (
        "encoding_malformed",
        "Content-Transfer-Encoding is not one word (a comment, quotes, several values, an encoded word); "
        "mail programs differ in what they make of it.",
    )
    ENCODING_UNKNOWN = (
        "encoding_unknown",
        "Unknown Content-Transfer-Encoding; the content was not decoded.",
    )
    ENCODING_WRONG = (
        "encoding_wrong",
        "The content is not in its declared transfer encoding; it was not decoded.",
    )
    FILENAME_AMBIGUOUS = (
        "filename_ambiguous",
        "A part has several file names; mail programs differ in which one they show.",
    )
    HEADER_BARE_CR = (
        "header_bare_cr",
        "Header fields are separated by bare CR; they were read as separate fields.",
    )
    HEADER_CUT = (
        "header_cut",
        "A header exceeds the limit of bytes or fields; the rest was not read.",
    )
    HEADER_FIELD_FOLDED = (
        "header_field_folded",
        "A MIME field follows blanks, so that it continues the field before it; some programs read it as a "
        "field.",
    )
    HEADER_MALFORMED = (
        "header_malformed",
        "A header line is neither a field nor a continuation; ignored.",
    )
    HEADER_MISSING = (
        "header_missing",
        "The mail has no header.",
    )
    MESSAGE_ENCODED = (
        "message_encoded",
        "A message inside, or a reference to one, has a transfer encoding, which RFC 2046 forbids; programs "
        "differ in whether they decode it.",
    )
    NESTING_CUT = (
        "nesting_cut",
        "Parts are nested more deeply than the limit; deeper parts were not read.",
    )
    OTHER_READING = (
        "other_reading",
        "Some programs show content that others do not, because they read the bytes in another way: see "
        "`reading` of `attachments`.",
    )
    PARAMETER_MALFORMED = (
        "parameter_malformed",
        "Malformed parameter of a MIME field (missing RFC 2231 piece, unclosed quote, several values).",
    )
    PARSE_LIMITED = (
        "parse_limited",
        "Reading the mail costs more work or memory than the limit; some columns or contents are missing.",
    )
    PARTS_CUT = (
        "parts_cut",
        "The mail has more parts than the limit.",
    )
    QUOTED_PRINTABLE_BROKEN = (
        "quoted_printable_broken",
        "Quoted-printable has an equals sign that begins no code; programs differ in what they show there.",
    )
    READINGS_CUT = (
        "readings_cut",
        "Not all other readings of the mail's bytes were tried; content that some programs show may be "
        "missing.",
    )
    RECEIVED_CUT = (
        "received_cut",
        "The mail has more Received fields than the limit.",
    )
    REFERENCES_CUT = (
        "references_cut",
        "The mail has more references than the limit.",
    )
    SCRIPT_NOT_RUN = (
        "script_not_run",
        "A page, a document or a script that is attached has code, which is not run: links and files that it "
        "makes are in no table.",
    )
    TRUNCATED = (
        "truncated",
        "The end of the mail was not captured; it breaks off inside a part.",
    )
    URLS_CUT = (
        "urls_cut",
        "The mail has more URLs than the limit, or a part that may hold links could not be read completely.",
    )
    UUENCODE_BROKEN = (
        "uuencode_broken",
        "A uuencoded block is damaged or not closed; the decodable part was kept.",
    )


_ALL = list(Defect)
_FIRST_OF_MAILS = _ALL.index(Defect.ADDRESS_MALFORMED)
SESSION_DEFECTS: dict[str, str] = {defect.value: defect.meaning for defect in _ALL[:_FIRST_OF_MAILS]}
MAIL_DEFECTS: dict[str, str] = {defect.value: defect.meaning for defect in _ALL[_FIRST_OF_MAILS:]}
DEFECTS: dict[str, str] = SESSION_DEFECTS | MAIL_DEFECTS

# An ordered set: a mail with half a million broken lines costs no more than one with a single broken line.
Defects = dict[Defect, None]
