-- The first mail of a sender speaks of money and of what to cancel, gives a telephone number, and has no link.
-- weight 45
with said as materialized (
    select mail, coalesce(subject, '') || ' ' || coalesce(text, html_text)[:10000] as words
    from first_mails join temp.emails e on e.uid || '/' || e.trans_depth = mail
        anti join links l on l.uid = e.uid and l.trans_depth = e.trans_depth and l.scheme in ('http', 'https')
)
select mail, 'call-back' as reason, trim(regexp_extract(words, '(\+\d{1,3}[ .()/-]{0,3}|\(|\b0|\b1[ .-])(\d[ .()/-]{0,3}){8,12}')) as detail
from said
where regexp_matches(words, '(\+\d{1,3}[ .()/-]{0,3}|\(|\b0|\b1[ .-])(\d[ .()/-]{0,3}){8,12}')
    and regexp_matches(words, '(?i)([$€£]|\b(usd|eur|gbp|chf)\b) ?\d|\d[.,]\d\d ?([$€£]|\b(usd|eur|gbp|chf|euro)\b)')
    and regexp_matches(words, '(?i)\b(cancel\w*|refund\w*|dispute|renew\w*|not (you|authori[sz]e)\w*|stornier\w*|kündig\w*|widerruf\w*|erstatt\w*|verlänger\w*|annul\w*|rembours\w*|cancelar|reembols\w*|rimbors\w*|disdi\w*)')
