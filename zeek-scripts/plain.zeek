##! The plain form: Zeek's POP3 events, and the lines of responses as its analyzer
##! gives them: trimmed, and many in one row. In the lines of a mail, a line that is
##! NUL and a name says that the header field of this name ended with the line before
##! it; no line of Zeek's contains a NUL or a LF.

@load ./main
@load ./secrets

module Pop3Events;

export {
	## The ports on which Zeek's POP3 analyzer starts with the first packet,
	## and not only when both sides look like POP3. With ``exact.zeek`` those
	## without the exact form.
	const plain_ports: set[port] = { 110/tcp } &redef;

	## T marks the ends of header fields and of mails.
	option mark_structure = T;

	## How many bytes the lines of a connection may take in memory before they
	## are written; each line counts 100 bytes more than it is long.
	option plain_bytes = 131072;

	## The same for all connections together.
	option max_gathered_bytes = 16777216;
}

# A client may request every mail of a mailbox at once; Zeek keeps 10 commands,
# and loses step beyond them.
@ifdef ( POP3::max_pending_commands )
redef POP3::max_pending_commands = 1000;
@endif

# The bytes of memory at which lines are written.
global lines_limit: count = 131072;

global connections_holding_lines = 0;

# The lines of all connections together stay within the bound.
function share_lines_limit()
	{
	lines_limit = connections_holding_lines == 0 ? plain_bytes :
	    max_gathered_bytes / connections_holding_lines;

	if ( lines_limit > plain_bytes )
		lines_limit = plain_bytes;
	}

function begin_row_of_lines(p: Plain)
	{
	p$since = network_time();
	++connections_holding_lines;
	share_lines_limit();
	}

function write_row_of_lines(p: Plain)
	{
	if ( p$memory == 0 )
		return;

	local data = join_string_vec(p$lines, "\n");
	local row = Info($ts=p$since, $uid=p$s$uid, $seq=0, $kind="data", $length=|data|);

	if ( data != "" )
		row$data = encode_base64(data);

	budget_add(p$s, |data| / 4);
	write_row(p$s, row);
	p$lines = vector();
	p$memory = 0;
	--connections_holding_lines;
	share_lines_limit();
	}

# The next handlers cost Zeek time even where they do nothing, and make it hash every
# mail. So they are off while no connection needs them. Zeek before 5.2 cannot do
# that.
@ifdef ( disable_event_group )
event pop3_data(c: connection, is_orig: bool, data: string)
    &group="Pop3Events::lines"
@else
event pop3_data(c: connection, is_orig: bool, data: string)
@endif
	{
	if ( ! c?$pop3_plain )
		return;

	local p = c$pop3_plain;

	if ( p$memory == 0 )
		begin_row_of_lines(p);

	p$lines += data;
	p$memory += |data| + 100;

	if ( p$memory >= lines_limit )
		write_row_of_lines(p);
	}

@ifdef ( disable_event_group )
event mime_one_header(c: connection, h: mime_header_rec)
    &group="Pop3Events::lines"
@else
event mime_one_header(c: connection, h: mime_header_rec)
@endif
	{
	if ( ! c?$pop3_plain || ! mark_structure )
		return;

	local p = c$pop3_plain;

	if ( p$memory == 0 )
		begin_row_of_lines(p);

	p$lines += cat("\x00", h$original_name);
	p$memory += |h$original_name| + 101;

	if ( p$memory >= lines_limit )
		write_row_of_lines(p);
	}

# Raised when a mail has ended, and not before: the outermost entity of a multipart
# ends at the closing delimiter, with lines still to come.
@ifdef ( disable_event_group )
event mime_content_hash(c: connection, content_len: count, hash_value: string)
    &group="Pop3Events::lines"
@else
event mime_content_hash(c: connection, content_len: count, hash_value: string)
@endif
	{
	if ( ! c?$pop3_plain || ! mark_structure )
		return;

	write_row_of_lines(c$pop3_plain);
	write_control_row(c$pop3_plain$s, "end", "", "");
	}

global plain_connections = 0;

event zeek_init()
	{
	local ports: set[port];

	for ( p in plain_ports )
		if ( ! exact_form || p !in exact_ports )
			add ports[p];

	if ( |ports| > 0 )
		Analyzer::register_for_ports(Analyzer::ANALYZER_POP3, ports);

	add_likely_server_ports(likely_server_ports, ports);

@ifdef ( disable_event_group )
	disable_event_group("Pop3Events::lines");
@endif
	}

function new_plain_state(c: connection): Plain
	{
	local p = Plain($s=new_state(c, F));
	c$pop3_plain = p;
	++plain_connections;

@ifdef ( enable_event_group )
	if ( plain_connections == 1 )
		enable_event_group("Pop3Events::lines");
@endif

	return p;
	}

hook closing(c: connection, s: State)
	{
	if ( ! c?$pop3_plain )
		return;

	write_row_of_lines(c$pop3_plain);

	if ( s$budget > initial_budget )
		return_rows_ahead(s, s$budget - initial_budget);

	--plain_connections;

@ifdef ( disable_event_group )
	if ( plain_connections == 0 )
		disable_event_group("Pop3Events::lines");
@endif
	}

# Whether a control row may be written. A connection that causes more rows than its
# packets account for is given up.
function may_write(p: Plain, cost: count): bool
	{
	if ( p$flooding )
		return F;

	write_row_of_lines(p);

	if ( ! p?$seen || p$seen != network_time() )
		{
		p$seen = network_time();
		budget_add(p$s, 150);
		}

	if ( budget_take(p$s, cost) )
		return T;

	p$flooding = T;
	write_limit_row(p$s, "rows");
	return F;
	}

# Whether the row of an event of Zeek's analyzer may be written.
function may_write_event(c: connection): bool
	{
	if ( c?$pop3_events && c$pop3_events$exact )
		return F;

	if ( may_write(c?$pop3_plain ? c$pop3_plain : new_plain_state(c), 110) )
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
	if ( ! c?$pop3_plain || ! c$pop3_plain$initial )
		return;

	local p = c$pop3_plain;
	local names = split_string(p$user, /\x00/);

	if ( names[|names| - 1] != user )
		p$user = "";
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
	write_control_row(p$s, "login", ok ? "success" : "failure",
	    p$client_lost || p$server_lost ? "" : p$user);
	}

event pop3_request(c: connection, is_orig: bool, command: string, arg: string)
	{
	if ( ! may_write_event(c) )
		return;

	local p = c$pop3_plain;
	write_control_row(p$s, "request", command, request_argument(p, command, arg));
	}

event pop3_reply(c: connection, is_orig: bool, cmd: string, msg: string)
	{
	if ( ! may_write_event(c) )
		return;

	local p = c$pop3_plain;
	watch_reply(p, cmd == "OK");
	write_control_row(p$s, "reply", cmd, msg);
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

	write_control_row(p$s, "unexpected", msg, detail);
	}

event pop3_starttls(c: connection)
	{
	if ( ! may_write_event(c) )
		return;

	write_control_row(c$pop3_events, "starttls", "", "");
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
		write_gap_row(p$s, is_orig, seq - 1, length);
	}
