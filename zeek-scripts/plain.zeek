##! The plain form: Zeek's POP3 events, with the lines of a response together in
##! one row. In the lines of a mail, a line that is NUL and a name says that the
##! header field of this name ended with the line before it; no line of Zeek's
##! contains a NUL or a LF.

@load ./main
@load ./secrets

module Pop3Events;

export {
	## T marks the ends of header fields and of mails.
	option mark_structure = T;

	## How many bytes the lines of a connection may take in memory before they
	## are written; each line counts 100 bytes more than it is long.
	option plain_bytes = 131072;

	## The same for all connections together.
	option max_gathered_bytes = 16777216;

	## The ports on which Zeek's POP3 analyzer starts with the first packet,
	## and not only when both sides look like POP3.
	const plain_ports: set[port] = { 110/tcp } &redef;

	## What the plain form remembers of a connection.
	type Plain: record {
		## The connection's state.
		s: State;
		## Lines that are not written yet.
		lines: vector of string &default=vector();
		## The bytes that they take in memory.
		memory: count &default=0;
		## When the first of them came.
		since: time &optional;
		## The name of the last USER, until the server has answered it.
		named: string &optional;
		## The name under which the client tries to log in; empty if unknown.
		user: string &default="";
		## T if the next reply decides a login.
		asked: bool &default=F;
		## T if the server has accepted a login.
		done: bool &default=F;
		## T if bytes of the client are missing.
		client_lost: bool &default=F;
		## T if bytes of the server are missing before a login.
		server_lost: bool &default=F;
	};

	## Writes the lines that are held.
	##
	## p: The connection.
	global write_lines: function(p: Plain);

	## Holds the first line of a row.
	##
	## p: The connection.
	global begin_lines: function(p: Plain);

	## The bytes of memory at which lines are written.
	global lines_limit: count = 131072;
}

redef record connection += {
	## What the plain form remembers of a POP3 connection.
	pop3_plain: Plain &optional;
};

# A client may request every mail of a mailbox at once; Zeek keeps 10 commands,
# and loses step beyond them.
@ifdef ( POP3::max_pending_commands )
redef POP3::max_pending_commands = 1000;
@endif

global plain_connections = 0;
global holding = 0;

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

# The lines of all connections together stay within the bound.
function share_limit()
	{
	lines_limit = holding == 0 ? plain_bytes : max_gathered_bytes / holding;

	if ( lines_limit > plain_bytes )
		lines_limit = plain_bytes;
	}

function begin_lines(p: Plain)
	{
	p$since = network_time();
	++holding;
	share_limit();
	}

function write_lines(p: Plain)
	{
	if ( p$memory == 0 )
		return;

	local data = join_string_vec(p$lines, "\n");
	local row = Info($ts=p$since, $uid=p$s$uid, $seq=0, $kind="data", $length=|data|);

	if ( data != "" )
		row$data = encode_base64(data);

	emit(p$s, row);
	p$lines = vector();
	p$memory = 0;
	--holding;
	share_limit();
	}

hook closing(c: connection, s: State)
	{
	if ( ! c?$pop3_plain )
		return;

	write_lines(c$pop3_plain);
	--plain_connections;

@ifdef ( disable_module_events )
	if ( plain_connections == 0 )
		disable_module_events("Pop3Lines");
@endif
	}

# The argument of a request without secrets. Takes note of logins.
function request_argument(p: Plain, command: string, arg: string): string
	{
	local words = words_of(cat(command, " ", arg));
	# A loss joins lines: a password may be in another command's argument.
	local doubtful = p$client_lost && ! ( p$done && command in numbered );

	if ( command == "USER" )
		{
		p$done = F;
		p$user = "";
		p$named = |words| == 2 ? clean_name(words[1]) : "";
		}
	else if ( command == "PASS" || command == "APOP" || ( command == "AUTH" && |words| > 1 ) )
		{
		p$done = F;
		p$asked = T;

		if ( command == "APOP" )
			p$user = |words| == 3 ? clean_name(words[1]) : "";
		else if ( command == "AUTH" )
			p$user = |words| == 3 ? user_of_response(to_upper(words[1]), words[2]) : "";
		}

	if ( log_secrets )
		return arg;

	return doubtful ? "" : public_argument(command, words);
	}

# A reply may decide about a login. Zeek's own login events are not used: what
# they take for the name may be the password.
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
	if ( c?$pop3_events && c$pop3_events$exact )
		return;

	local p = c?$pop3_plain ? c$pop3_plain : begin_plain(c);
	write_lines(p);
	note(p$s, "request", command, request_argument(p, command, arg));
	}

event pop3_reply(c: connection, is_orig: bool, cmd: string, msg: string)
	{
	if ( c?$pop3_events && c$pop3_events$exact )
		return;

	local p = c?$pop3_plain ? c$pop3_plain : begin_plain(c);
	write_lines(p);
	watch_reply(p, cmd == "OK");
	note(p$s, "reply", cmd, msg);
	}

event pop3_unexpected(c: connection, is_orig: bool, msg: string, detail: string)
	{
	if ( c?$pop3_events && c$pop3_events$exact )
		return;

	local p = c?$pop3_plain ? c$pop3_plain : begin_plain(c);
	write_lines(p);
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
	if ( c?$pop3_events && c$pop3_events$exact )
		return;

	local p = c?$pop3_plain ? c$pop3_plain : begin_plain(c);
	write_lines(p);
	note(p$s, "starttls", "", "");
	}

event content_gap(c: connection, is_orig: bool, seq: count, length: count)
	{
	if ( ! c?$pop3_plain )
		return;

	local p = c$pop3_plain;

	if ( is_orig )
		p$client_lost = T;
	else if ( ! p$done )
		p$server_lost = T;

	write_lines(p);
	note_gap(p$s, is_orig, seq - 1, length);
	}

# These handlers cost Zeek time even where they do nothing, and make it hash every
# mail. So they are off while no connection needs them; the module's name is the
# handle.
module Pop3Lines;

event pop3_data(c: connection, is_orig: bool, data: string)
	{
	if ( ! c?$pop3_plain )
		return;

	local p = c$pop3_plain;

	if ( p$memory == 0 )
		Pop3Events::begin_lines(p);

	p$lines += data;
	p$memory += |data| + 100;

	if ( p$memory >= Pop3Events::lines_limit )
		Pop3Events::write_lines(p);
	}

event mime_one_header(c: connection, h: mime_header_rec)
	{
	if ( ! c?$pop3_plain || ! Pop3Events::mark_structure )
		return;

	local p = c$pop3_plain;

	if ( p$memory == 0 )
		Pop3Events::begin_lines(p);

	p$lines += cat("\x00", h$original_name);
	p$memory += |h$original_name| + 101;

	if ( p$memory >= Pop3Events::lines_limit )
		Pop3Events::write_lines(p);
	}

# Raised when a mail has ended, and not before: the outermost entity of a multipart
# ends at the closing delimiter, with lines still to come.
event mime_content_hash(c: connection, content_len: count, hash_value: string)
	{
	if ( ! c?$pop3_plain || ! Pop3Events::mark_structure )
		return;

	Pop3Events::write_lines(c$pop3_plain);
	Pop3Events::note(c$pop3_plain$s, "end", "", "");
	}
