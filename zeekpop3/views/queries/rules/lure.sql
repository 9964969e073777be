-- A first mail warns about an account or mailbox, and its link leads to another site than the sender's.
-- weight 40
with letter as materialized (
    select mail, coalesce(subject, '') || '. ' || coalesce(e.text, html_text)[:5000] as words, l.host
    from first_mails join temp.emails e on e.uid || '/' || e.trans_depth = mail anti join bulk using (mail)
        join links l on l.uid = e.uid and l.trans_depth = e.trans_depth and l.origin in ('html', 'text', 'qr') and l.part = ''
    where l.scheme in ('http', 'https') and coalesce(l.site, l.host) is distinct from e.from_site
)
select distinct mail, 'warning with a link elsewhere' as reason, 'leads to ' || host as detail
from letter where regexp_matches(words, '(?i)(^|[^\pL])((mailbox|account|password|log ?in|postfach|passwort|kennwort|konto|zugang\w*|boîte|mot de passe|compte|contraseña|cuenta|buzón|senha|conta|casella|postvak|wachtwoord|hasło|konta|skrzynk\w*|пароль|ящик\w*|аккаунт\w*)[^\pL\n]+([\pL]+[^\pL\n]+){0,10}?(expir\w*|suspend\w*|verif\w*|confirm\w*|locked|deactivat\w*|closed|blocked|limited|full|läuft|abgelaufen|gesperrt|sperr\w*|bestätig\w*|überprüf\w*|deaktivier\w*|vérifi\w*|bloqu\w*|caduc\w*|scad\w*|sospes\w*|verlo\w*|geblokkeerd|wyga\w*|zweryfikuj|истек\w*|подтверд\w*|заблок\w*)|(expir\w*|suspend\w*|verif\w*|confirm\w*|locked|deactivat\w*|closed|blocked|limited|full|läuft|abgelaufen|gesperrt|sperr\w*|bestätig\w*|überprüf\w*|deaktivier\w*|vérifi\w*|bloqu\w*|caduc\w*|scad\w*|sospes\w*|verlo\w*|geblokkeerd|wyga\w*|zweryfikuj|истек\w*|подтверд\w*|заблок\w*)[^\pL\n]+([\pL]+[^\pL\n]+){0,10}?(mailbox|account|password|log ?in|postfach|passwort|kennwort|konto|zugang\w*|boîte|mot de passe|compte|contraseña|cuenta|buzón|senha|conta|casella|postvak|wachtwoord|hasło|konta|skrzynk\w*|пароль|ящик\w*|аккаунт\w*))([^\pL]|$)')
