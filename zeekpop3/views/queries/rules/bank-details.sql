-- The text says that bank details have changed. It counts only beside another rule.
-- weight 20 beside others
select uid || '/' || trans_depth as mail, 'new bank details' as reason, from_address as detail
from temp.emails where regexp_matches(coalesce(text, html_text)[:20000], '(?i)(new|changed|updated?|different|neue|geändert\w*|nouve\w+|chang\w+|nuev\w+|nuov\w+)\W+(\w+\W+){0,4}?(bank|account|konto|iban|compte|rib|cuenta|conto)|(bank\w*|account|konto|bankverbindung|iban|compte|cuenta|conto)\W+(\w+\W+){0,4}?(changed|geändert|chang\w+|cambiad\w+|cambiat\w+)')
    and regexp_matches(coalesce(text, html_text)[:20000], '(?i)\b(invoice|payment|transfer|rechnung|zahlung|überweis\w*|facture|paiement|virement|factura|pago|fattura|pagamento)')
