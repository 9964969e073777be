"""Every name that a `defects` column may hold, with its meaning. The list is closed.

The session machine gives `SESSION_DEFECTS` to transfers and sessions, the mail parser gives `MAIL_DEFECTS` to
mails. A defect never stops a record. Each defect of a record is named once.
"""

from __future__ import annotations

SESSION_DEFECTS: dict[str, str] = {
    "answered_early": "The server sent the message before the client requested it.",
    "desynchronized": "Zeek's analyzer lost synchronisation after packet loss; message number unknown (plain "
    "form).",
    "dot_not_doubled": "A line of the message starts with a single dot, which RFC 1939 has the server "
    "double; some clients remove it, others keep it, as here (exact form).",
    "header_fold_guessed": "Folded header lines were restored by heuristics, because the log does not tell "
    "where header fields end (plain form).",
    "idle": "The session was closed after a time without rows.",
    "limit_reached": "A limit of the Zeek script was reached; a part of the connection is not in the log.",
    "message_too_large": "The response exceeds the size limit; the bytes above the limit were dropped and "
    "counted.",
    "number_doubtful": "Message number uncertain: after a loss the size differs from the size in LIST, or "
    "responses may be out of step with the commands.",
    "reply_malformed": "The server sent a line that is not a reply.",
    "request_missing": "The request was not captured; the command, and the number if set, are inferred.",
    "response_unsolicited": "The server sent a response that no line of the client requested.",
    "rows_missing": "Rows of the event log are missing (a hole in `seq`).",
    "search_limited": "So much is missing that not all ways to match commands and responses were tried; "
    "command, number and end of the message are uncertain.",
    "status_missing": "The status line of the response was not captured.",
    "terminator_unusual": "The end of the message is not CRLF, dot, CRLF; it follows from how the client "
    "continued, or is uncertain.",
}

MAIL_DEFECTS: dict[str, str] = {
    "address_malformed": "Malformed address field (unclosed quote or comment, missing comma, text in the "
    "wrong place); what a mail program would reply to is a guess.",
    "addresses_cut": "The address fields have more addresses than the limit.",
    "attachment_unpack_failed": "A container (winmail.dat, uuencode) could not be unpacked; it is kept as "
    "one attachment.",
    "attachments_cut": "The mail has more attachments than the limit.",
    "base64_broken": "Invalid or truncated base64; the rest was decoded.",
    "base64_padding": "Base64 has padding before its end; decoding continued after it, as mail programs do.",
    "base64_trailing_text": "Non-base64 lines after base64 content (a list footer, a scanner's note); "
    "ignored.",
    "boundary_guessed": "A multipart declares no boundary, or a wrong one; the boundary in use was taken.",
    "boundary_malformed": "A boundary line has text after the boundary, or bare CR as line end; parts were "
    "separated there.",
    "boundary_missing": "No boundary line of a multipart was found; its content was read as text.",
    "boundary_unclosed": "A multipart ends without its closing boundary.",
    "charset_broken": "Text does not decode in its charset; undecodable bytes became U+FFFD.",
    "charset_guessed": "Text with 8-bit characters has no charset, or an impossible one; the charset was "
    "guessed.",
    "charset_unknown": "Unknown charset, or not a text charset.",
    "charset_wrong": "Text does not decode in the declared charset; another charset fits and was used.",
    "content_type_malformed": "Content-Type has more or less than a type; without one, text/plain was "
    "assumed (RFC 2045, section 5.2).",
    "date_malformed": "Date cannot be parsed.",
    "date_zone_unknown": "Unknown time zone in Date; UTC was assumed (RFC 5322, section 4.3).",
    "dkim_cut": "The mail has more DKIM signatures than the limit; not all were kept or checked.",
    "dkim_malformed": "A DKIM signature (RFC 6376) is malformed; the body was not checked against it.",
    "duplicate_header": "A field that may occur once (RFC 5322, section 3.6; RFC 2045) occurs more often, in "
    "the header of the mail or of a part; mail programs differ in which one they use.",
    "enclosed_cut": "The mail has more messages inside than the limit.",
    "encoded_word_broken": "An encoded word (RFC 2047) cannot be decoded completely.",
    "encoding_malformed": "Content-Transfer-Encoding is an encoded word, which RFC 2047 forbids; it was "
    "decoded.",
    "encoding_unknown": "Unknown Content-Transfer-Encoding; the content was not decoded.",
    "encoding_wrong": "The content is not in its declared transfer encoding; it was not decoded.",
    "header_bare_cr": "Header fields are separated by bare CR; they were read as separate fields.",
    "header_cut": "A header exceeds the limit of bytes or fields; the rest was not read.",
    "header_malformed": "A header line is neither a field nor a continuation; ignored.",
    "header_missing": "The mail has no header.",
    "nesting_cut": "Parts are nested more deeply than the limit; deeper parts were not read.",
    "parameter_malformed": "Malformed parameter of a MIME field (missing RFC 2231 piece, unclosed quote, "
    "several values).",
    "parts_cut": "The mail has more parts than the limit.",
    "received_cut": "The mail has more Received fields than the limit.",
    "references_cut": "The mail has more references than the limit.",
    "truncated": "The end of the mail was not captured; it breaks off inside a part.",
    "urls_cut": "The mail has more URLs than the limit.",
    "uuencode_broken": "A uuencoded block is damaged or not closed; the decodable part was kept.",
}

DEFECTS: dict[str, str] = SESSION_DEFECTS | MAIL_DEFECTS
