"""Names of header fields in use: those registered with IANA (message headers) and those that mail programs
write.

A line that starts with one of these names and a colon almost certainly starts a field. Other names may be
fields, too.
"""

from __future__ import annotations

_REGISTERED = """
accept-language alternate-recipient apparently-to arc-authentication-results arc-message-signature arc-seal
archive archived-at authentication-results auto-submitted autoforwarded autosubmitted bcc cancel-key
cancel-lock cc comments content-alternative content-base content-class content-description
content-disposition content-duration content-features content-id content-identifier content-language
content-length content-location content-md5 content-return content-transfer-encoding
content-translation-type content-type control conversion conversion-with-loss date date-received
deferred-delivery delivered-to delivery-date discarded-x400-ipms-extensions discarded-x400-mts-extensions
disclose-recipients disposition-notification-options disposition-notification-to distribution dkim-signature
dl-expansion-history domainkey-signature downgraded-final-recipient downgraded-from downgraded-to
ediint-features eesst-version encoding encrypted errors-to expires expiry-date followup-to form-sub from
generate-delivery-report importance in-reply-to incomplete-copy injection-date injection-info jabber-id
keywords language latest-delivery-time lines list-archive list-help list-id list-owner list-post
list-software list-subscribe list-unsubscribe list-unsubscribe-post list-url mail-copies-to mail-followup-to
mail-reply-to mail-system-version mailer mailing-list message-context message-id message-type mime-version
newsgroups nntp-posting-date nntp-posting-host obsoletes organisation organization
original-encoded-information-types original-from original-message-id original-recipient original-sender
originator-info originator-return-address path pics-label posting-version precedence
prevent-nondelivery-report priority privicon read-receipt-to received received-spf references relay-version
reply-by reply-to require-recipient-valid-since resent-bcc resent-cc resent-date resent-from
resent-message-id resent-reply-to resent-sender resent-to return-path return-receipt-to see-also sender
sensitivity sio-label solicitation status subject summary supersedes thread-index thread-topic
tls-report-domain tls-report-submitter tls-required to user-agent vbr-info x400-content-identifier
x400-content-return x400-content-type x400-mts-identifier x400-originator x400-received x400-recipients
x400-trace xref
"""

_IN_USE = """
abuse-reports-to acceptlanguage arrival-date authentication-warning auto-reply auto-response-suppress
bimi-indicator bimi-location bimi-selector bounce-to bounces-to bounces_to cal-id campaign-id cfbl-address
cfbl-feedback-id comment complaints-to deliver-to delivery-report diagnostic-code disposition dkim-filter
dnt domainkey-status envelope-from envelope-recipient envelope-sender envelope-to error-path feedback-id
feedback-type final-log-id final-recipient last-attempt-date list-digest list-info mail-date mail-from
mailed-by message-flag message-size mime-autoconverted msip_labels nntp-posting-user old-content-type
old-date old-from old-message-id old-received old-return-path old-subject old-to openpgp
original-envelope-id original-mail-from original-rcpt-to original-received original-to originating-client
posted-date posted-to pp-correlation-id received-from-mta remote-mta replied reply-path replyto
reported-domain reported-uri reporting-mta reporting-ua return-receipt-requested sender-ip source-ip
spamdiagnosticmetadata spamdiagnosticoutput ui-outboundreport user-defined warnings-to will-retry-until
"""

KNOWN = frozenset((_REGISTERED + _IN_USE).split())
"""In lower case, without the families `x-…`."""

_SINGLE = """
bcc cc content-disposition content-id content-transfer-encoding content-type date from in-reply-to message-id
mime-version references reply-to sender subject to
"""

SINGLE = frozenset(_SINGLE.split())
"""Fields that occur once in a header (RFC 5322, section 3.6; RFC 2045)."""
