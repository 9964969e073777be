-- Another account (IBAN) than the sender, or somebody in the thread, gave before, and that nobody of the sender's site gave.
-- weight 40
with account as (
    select uid || '/' || trans_depth as mail, ts, from_address, from_name, from_site, unnest(ibans_of(coalesce(text, html_text))) as iban
    from temp.emails where contains(lower(coalesce(text, html_text)), 'iban')
        or regexp_matches(coalesce(text, html_text), '\b[A-Z]{2}\d{2} ?[A-Z0-9]{4} ?\d{4}')
), before as (
    select a.mail, a.iban, a.from_site, o.iban as other, o.from_site as other_site from account a join account o
        on o.ts < a.ts and (o.from_address = a.from_address or length(o.from_name) >= 4 and name_key(o.from_name) = name_key(a.from_name))
    union all
    select a.mail, a.iban, a.from_site, o.iban, o.from_site from account a join in_threads t using (mail)
        join account o on o.mail = t.before_uid || '/' || t.before_depth
)
select mail, 'account changed' as reason, any_value(other) filter (iban <> other) || ' before, now ' || iban as detail
from before group by mail, iban
having bool_or(iban <> other) and not bool_or(iban = other and from_site is not distinct from other_site)
