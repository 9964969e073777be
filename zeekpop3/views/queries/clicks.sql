-- Links of mails that the same client opened later: in http.log, by server name in ssl.log, by query in dns.log.
-- either http: ts time, id_orig_h, host, uri
-- either ssl: ts time, id_orig_h, server_name
-- either dns: ts time, id_orig_h, query
with clicked as ({opened-links})
select * from clicked order by opened, mail, url
