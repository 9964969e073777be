-- An encrypted file, and its password in the text: it is closed to scanners, and not to the reader.
-- weight 45
select distinct e.uid || '/' || e.trans_depth as mail, 'password beside an encrypted file' as reason, coalesce(d.within, d.name, '(no name)') as detail
from dangerous d join temp.emails e using (uid, trans_depth)
where d.encrypted and regexp_matches(coalesce(subject, '') || ' ' || coalesce(text, html_text)[:20000],
    '(?i)\b(password|pass ?code|passwort|kennwort|mot de passe|contraseña|clave|senha|wachtwoord|hasło|heslo|пароль|lösenord|adgangskode|code|pin)\b[^\n.]{0,30}?(:|=|\bis\b|\bist\b|\best\b|\bes\b|\blautet\b|\bjest\b)\s*["“„«'']?[^\s"”“]{3,40}')
