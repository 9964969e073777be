-- The first mail of a sender brings an archive of a type that cannot be opened here (rar, 7z, cab, ace, …).
-- weight 20
select mail, 'archive that was not opened' as reason, coalesce(filename, '(no name)') || ' of ' || from_address as detail
from first_mails join attachments a on a.uid || '/' || a.trans_depth = mail
where a.inside = 'unsupported' and not exists (
        from members m where (m.uid, m.trans_depth, m.part) = (a.uid, a.trans_depth, a.part) and m.sha256 is not null)
    and regexp_matches(coalesce(a.mime_type, ''), 'rar|7z|cab|ace|arj|lzh|zip|compress')
