##! The plain form: Zeek's POP3 events.

@load ./budget
@load ./lines
@load ./secrets

module Pop3Events;

export {
	## The ports on which Zeek's POP3 analyzer starts with the first packet,
	## and not only when both sides look like POP3.
	const plain_ports: set[port] = { 110/tcp } &redef;
}

# A client may request every mail of a mailbox at once; Zeek keeps 10 commands,
# and loses step beyond them.
@ifdef ( POP3::max_pending_commands )
redef POP3::max_pending_commands = 1000;
@endif

global plain_connections = 0;

event zeek_init()
	{
	if ( |plain_ports| > 0 )
		Analyzer::register_for_ports(Analyzer::ANALYZER_POP3, plain_ports);

@ifdef ( disable_module_events )
	disable_module_events("Pop3Lines");
@endif
	}

function begin_plain(c: connection): Plain
	{
	local p = Plain($s=begin(c, F));
	c$pop3_plain = p;
	++plain_connections;

@ifdef ( enable_module_events )
	if ( plain_connections == 1 )
		enable_module_events("Pop3Lines");
@endif

	return p;
	}

hook closing(c: connection, s: State)
	{
	if ( ! c?$pop3_plain )
		return;

	write_lines(c$pop3_plain);
	settle_credit(s);
	--plain_connections;

@ifdef ( disable_module_events )
	if ( plain_connections == 0 )
		disable_module_events("Pop3Lines");
@endif
	}

# Whether a control row may be written. A connection that causes more rows than its
# packets account for is given up.
function may_write(p: Plain, cost: count): bool
	{
	if ( p$flooding )
		return F;

	write_lines(p);

	if ( ! p?$seen || p$seen != network_time() )
		{
		p$seen = network_time();
		earn(p$s, 150);
		}

	if ( spend(p$s, cost) )
		return T;

	p$flooding = T;
	note_limit(p$s, "rows");
	return F;
	}

# Whether the row of an event of Zeek's analyzer may be written.
function may_write_event(c: connection): bool
	{
	if ( c?$pop3_events && c$pop3_events$exact )
		return F;

	if ( may_write(c?$pop3_plain ? c$pop3_plain : begin_plain(c), 110) )
		return T;

	disable_analyzer(c$id, current_analyzer(), F, T);
	return F;
	}

# The argument of a request without secrets. Takes note of logins.
function request_argument(p: Plain, command: string, arg: string): string
	{
	local words = words_of(cat(command, " ", arg));
	# A loss joins lines: a password may be in another command's argument.
	local doubtful = p$cut || ( p$client_lost && ! ( p$done && command in numbered ) );
	p$cut = F;

	if ( command == "USER" )
		{
		p$done = F;
		p$user = "";
		p$named = |words| == 2 ? clean_name(words[1]) : "";
		}
	else if ( command == "PASS" || command == "APOP" || ( command == "AUTH" && |words| > 1 ) )
		{
		p$done = p$initial = F;
		p$asked = T;

		if ( command == "APOP" )
			p$user = |words| == 3 ? clean_name(words[1]) : "";
		else if ( command == "AUTH" )
			{
			local mechanism = to_upper(words[1]);
			# Further responses are not seen here, and may have another name.
			p$user = |words| == 3 && mechanism != "LOGIN" && mechanism != "CRAM-MD5"
			    ? user_of_response(mechanism, words[2]) : "";
			p$initial = mechanism == "PLAIN";
			}
		}

	if ( log_secrets )
		return arg;

	return doubtful ? "" : public_argument(command, words);
	}

# A server that does not take an initial response asks for another one, which only
# Zeek's analyzer sees. What Zeek takes for a name may be the password: it is not
# logged.
event pop3_login_success(c: connection, is_orig: bool, user: string, password: string)
	{
	if ( c?$pop3_plain && c$pop3_plain$initial && c$pop3_plain$user != user )
		c$pop3_plain$user = "";
	}

# A reply may decide about a login.
function watch_reply(p: Plain, ok: bool)
	{
	if ( p?$named )
		{
		p$user = ok ? p$named : "";
		delete p$named;
		}

	if ( ! p$asked )
		return;

	p$asked = F;
	p$done = ok;
	note(p$s, "login", ok ? "success" : "failure",
	    p$client_lost || p$server_lost ? "" : p$user);
	}

event pop3_request(c: connection, is_orig: bool, command: string, arg: string)
	{
	if ( ! may_write_event(c) )
		return;

	local p = c$pop3_plain;
	note(p$s, "request", command, request_argument(p, command, arg));
	}

event pop3_reply(c: connection, is_orig: bool, cmd: string, msg: string)
	{
	if ( ! may_write_event(c) )
		return;

	local p = c$pop3_plain;
	watch_reply(p, cmd == "OK");
	note(p$s, "reply", cmd, msg);
	}

event pop3_unexpected(c: connection, is_orig: bool, msg: string, detail: string)
	{
	if ( ! may_write_event(c) )
		return;

	local p = c$pop3_plain;
	local known = "unknown AUTH method ";
	local n = |known|;

	# Zeek quotes an AUTH that it does not know, token included.
	if ( ! log_secrets && |detail| >= n && detail[0:n] == known )
		detail = strip(cat(known, public_argument("AUTH", vector("AUTH",
		    words_of(detail[n:])[0]))));

	note(p$s, "unexpected", msg, detail);
	}

event pop3_starttls(c: connection)
	{
	if ( ! may_write_event(c) )
		return;

	note(c$pop3_events, "starttls", "", "");
	}

event content_gap(c: connection, is_orig: bool, seq: count, length: count)
	{
	if ( ! c?$pop3_plain )
		return;

	local p = c$pop3_plain;

	if ( is_orig )
		p$client_lost = p$cut = T;
	else if ( ! p$done )
		p$server_lost = T;

	if ( may_write(p, 250) )
		note_gap(p$s, is_orig, seq - 1, length);
	}
