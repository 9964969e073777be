"""Names of header fields that are in use: those registered (IANA, message headers) and those that mail
programs write.

A name that stands here begins a field with near certainty; one that does not may still do so.
"""

from __future__ import annotations

_REGISTERED = """
accept-language alternate-recipient apparently-to arc-authentication-results arc-message-signature arc-seal
archive archived-at authentication-results auto-submitted autoforwarded autosubmitted base bcc body
cancel-key cancel-lock cc comments content-alternative content-base content-class content-description
content-disposition content-duration content-features content-id content-identifier content-language
content-length content-location content-md5 content-return content-transfer-encoding
content-translation-type content-type control conversion conversion-with-loss date date-received
deferred-delivery delivered-to delivery-date discarded-x400-ipms-extensions discarded-x400-mts-extensions
disclose-recipients disposition-notification-options disposition-notification-to distribution dkim-signature
dl-expansion-history domainkey-signature downgraded-final-recipient downgraded-from downgraded-to
ediint-features encoding encrypted eesst-version errors-to expires expiry-date followup-to form-sub from
generate-delivery-report importance in-reply-to incomplete-copy injection-date injection-info jabber-id
keywords language latest-delivery-time lines list-archive list-help list-id list-owner list-post
list-software list-subscribe list-unsubscribe list-unsubscribe-post list-url mail-copies-to mail-followup-to
mail-reply-to mail-system-version mailer mailing-list message-context message-id message-type mime-version
newsgroups nntp-posting-date nntp-posting-host obsoletes organization organisation
original-encoded-information-types original-from original-message-id original-recipient original-sender
originator-info originator-return-address path pics-label posting-version precedence
prevent-nondelivery-report priority privicon read-receipt-to received received-spf references relay-version
reply-by reply-to require-recipient-valid-since resent-bcc resent-cc resent-date resent-from
resent-message-id resent-reply-to resent-sender resent-to return-path return-receipt-to see-also sender
sensitivity sio-label solicitation status subject summary supersedes thread-index thread-topic title
tls-report-domain tls-report-submitter tls-required to user-agent vbr-info xref x400-content-identifier
x400-content-return x400-content-type x400-mts-identifier x400-originator x400-received x400-recipients
x400-trace
"""

_IN_USE = """
action abuse-reports-to acceptlanguage antivirus auto-response-suppress bounces-to bounces_to bounce-to
campaign-id cfbl-address cfbl-feedback-id comment complaints-to content-class deliver-to delivery-report
diagnostic-code disposition dnt envelope-from envelope-recipient envelope-sender envelope-to error-path
feedback-id final-recipient final-log-id list-digest list-info mail-from message-flag mailed-by member
msip_labels nntp-posting-user old-content-type old-date old-from old-message-id old-received old-return-path
old-subject old-to openpgp original-received original-to originating-client posted-date posted-to
pp-correlation-id recipient remote-mta replied reporting-mta reply-path replyto resent-reply-to
return-receipt-requested return-path sender-ip spamdiagnosticmetadata spamdiagnosticoutput ui-outboundreport
user warnings-to x-face approved bimi-location bimi-selector bimi-indicator cal-id dkim-filter
domainkey-status authentication-warning face geo lists auto-reply mime-autoconverted mail-date message-size
feedback-type user-defined arrival-date received-from-mta original-envelope-id source-ip original-mail-from
reported-domain original-rcpt-to version reporting-ua reported-uri incidents will-retry-until
last-attempt-date
"""

KNOWN = frozenset(name.encode() for name in (_REGISTERED + _IN_USE).split())
"""In lower case."""
