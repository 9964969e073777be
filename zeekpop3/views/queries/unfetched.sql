-- Messages that a mailbox lists and that no connection fetched; last, how many cannot be told for lack of UIDL.
{mailbox-messages}
select last_listed, nullif(owner, '') as user, server, uidl, octets, deleted, first_listed, state, 1 as messages
from message where state = 'unfetched'
union all
select max(last_listed), nullif(owner, ''), server, null, null, null, min(first_listed), state, count(*)
from message where state = 'cannot tell' group by owner, server, state
order by state desc, last_listed desc, user, server, uidl
