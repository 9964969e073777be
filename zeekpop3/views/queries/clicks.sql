-- Links that the client of the mail opened later (match: URL), or whose host it visited (host, server name, DNS query).
-- either http: ts time, id_orig_h, host, uri
-- either ssl: ts time, id_orig_h, server_name
-- either dns: ts time, id_orig_h, query
with clicked as ({opened-links})
select * from clicked order by opened, mail, url
