-- A first mail warns about an account or mailbox, and its link leads to another site than the sender's.
-- weight 40
with letter as materialized (
    select mail, coalesce(subject, '') || '. ' || coalesce(e.text, html_text)[:5000] as words, l.host
    from first_mails join temp.emails e on e.uid || '/' || e.trans_depth = mail anti join bulk using (mail)
        join links l on l.uid = e.uid and l.trans_depth = e.trans_depth and l.origin in ('html', 'text', 'qr') and l.part = ''
    where l.scheme in ('http', 'https') and coalesce(l.site, l.host) is distinct from e.from_site
)
select distinct mail, 'warning with a link elsewhere' as reason, 'leads to ' || host as detail
from letter where regexp_matches(words, '(?i)(^|[^\pL])((mailbox|account|password|log ?in|postfach|passwort|kennwort|konto|zugang\pL*|boîte|mot de passe|compte|contraseña|cuenta|buzón|senha|conta|casella|postvak|wachtwoord|hasło|konta|skrzynk\pL*|пароль|ящик\pL*|аккаунт\pL*)[^\pL\n]+([\pL]+[^\pL\n]+){0,10}?(expir\pL*|suspend\pL*|verif\pL*|confirm\pL*|locked|deactivat\pL*|closed|blocked|limited|full|läuft|abgelaufen|gesperrt|sperr\pL*|bestätig\pL*|überprüf\pL*|deaktivier\pL*|vérifi\pL*|bloqu\pL*|caduc\pL*|scad\pL*|sospes\pL*|verlo\pL*|geblokkeerd|wyga\pL*|zweryfikuj|истек\pL*|подтверд\pL*|заблок\pL*)|(expir\pL*|suspend\pL*|verif\pL*|confirm\pL*|locked|deactivat\pL*|closed|blocked|limited|full|läuft|abgelaufen|gesperrt|sperr\pL*|bestätig\pL*|überprüf\pL*|deaktivier\pL*|vérifi\pL*|bloqu\pL*|caduc\pL*|scad\pL*|sospes\pL*|verlo\pL*|geblokkeerd|wyga\pL*|zweryfikuj|истек\pL*|подтверд\pL*|заблок\pL*)[^\pL\n]+([\pL]+[^\pL\n]+){0,10}?(mailbox|account|password|log ?in|postfach|passwort|kennwort|konto|zugang\pL*|boîte|mot de passe|compte|contraseña|cuenta|buzón|senha|conta|casella|postvak|wachtwoord|hasło|konta|skrzynk\pL*|пароль|ящик\pL*|аккаунт\pL*))([^\pL]|$)')
