-- Files in files.log that are attachments of mails, or that links of mails led to (also --log http=http.log).
-- log files: ts time, fuid, uid, conn_uids[], id_orig_h, rx_hosts[], source, mime_type, md5, sha1, sha256
-- also http: host, uri, resp_fuids[]
with file as (
    select ts, fuid, source, mime_type, md5, sha1, sha256, coalesce(sha256, sha1, md5) as hash,
        coalesce(id_orig_h, rx_hosts[1]) as client
    from files where coalesce(uid, conn_uids[1], '') not in (select uid from sessions)
), by_hash as (
    select fuid, unnest(list_distinct([md5, sha1, sha256])) as hash from file
), attached as (
    select uid, trans_depth, coalesce(filename, '(no name)') as what, unnest([md5, sha1, sha256]) as hash
    from attachments
), request as (
    select unnest(resp_fuids) as fuid, host_of(host) as host,
        regexp_replace(uri, '^https?://[^/]*', '') as path
    from http
), link as (
    select uid, trans_depth, what, host_of(form) as host, path_of(form) as path
    from (select uid, trans_depth, url as what, unnest(list_distinct([url, target])) as form from links)
), found as (
    select distinct fuid, 'attachment' as origin, what, uid, trans_depth
    from by_hash join attached using (hash)
    union
    select fuid, 'link', what, uid, trans_depth from request join link using (host, path)
)
select f.ts, f.source, f.client, d.origin, any_value(d.what) as "file or link", f.mime_type, f.hash,
    count(distinct (d.uid, d.trans_depth)) as mails, list_sort(list(distinct lower(e.user))) as users,
    min(d.uid || '/' || d.trans_depth) as mail
from found d join file f using (fuid) join emails e using (uid, trans_depth)
group by f.ts, f.fuid, f.source, f.client, d.origin, f.mime_type, f.hash
order by f.ts, f.fuid, d.origin
