##! Detaches Zeek's POP3 analyzer from connections of the exact form.

@load ./budget
@load ./login

module Pop3Events;

export {
	## T detaches Zeek's POP3 analyzer from a connection of the exact form
	## once the client has logged in: Zeek with this script then costs little
	## more than Zeek alone. Set it to F where other scripts need the events
	## of the analyzer. With ``files.zeek`` the analyzer stays in any case.
	const release_analyzer = T &redef;
}

# Once the client has logged in, nothing of Zeek's analyzer is needed; conn.log still
# names the service.
function release(c: connection)
	{
	if ( ! release_analyzer || Pop3Files::wanted || ! c?$pop3_events )
		return;

	local s = c$pop3_events;

	if ( ! s$exact || ! ( s$logged_in || s$dropped || s$limited ) )
		return;

	if ( s$logged_in )
		add c$service["POP3"];

	disable_analyzer(c$id, current_analyzer(), F, T);
	}

event pop3_request(c: connection, is_orig: bool, command: string, arg: string)
    &priority=-5
	{
	release(c);
	}

event pop3_reply(c: connection, is_orig: bool, cmd: string, msg: string)
    &priority=-5
	{
	release(c);
	}
