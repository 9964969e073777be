##! The exact form: on the ports in :zeek:see:`Pop3Events::exact_ports` the
##! server's bytes themselves are logged, in place of its lines. On other ports
##! the plain form stays.
##!
##! Rows carry offsets in the server's stream, and it is these that say how bytes
##! and commands belong together. Of the order of rows no more is promised than
##! this:
##!
##! - contents rows stand in the order of their offsets, sent rows in the order in
##!   which the client sent them;
##! - gap rows stand between the contents rows: the server's where its bytes are
##!   missing, the client's where the server's stream stood then.
##!
##! A sent row may well come before contents rows with smaller offsets: bytes are
##! held until there are :zeek:see:`Pop3Events::contents_bytes` of them, or for
##! :zeek:see:`Pop3Events::max_hold`, for a row costs the same whatever its size.

@load ./main
@load ./plain

module Pop3Events;

export {
	## The server ports on which bytes are logged.
	const exact_ports: set[port] = {110/tcp} &redef;

	## Whether Zeek's POP3 analyzer is taken off a connection once the client
	## has logged in: from there on nothing of it is needed, and Zeek with this
	## script then costs little more than Zeek alone. Set it to F where other
	## scripts want to see the commands and mails of these connections, too.
	## With ``files.zeek`` the analyzer stays in any case.
	const release_analyzer = T &redef;

	## How many bytes of a server are held before they are written.
	option contents_bytes = 32768;

	## How long bytes are held before they are written.
	option max_hold = 1sec;

	## How many bytes a connection may have brought, either way, before it
	## proves to be POP3. Those of one that brings more are not kept.
	option max_unconfirmed_bytes = 65536;

	## How many rows are kept back for a connection before it proves to be POP3.
	option max_unconfirmed_rows = 100;

	## How much of a client's line is kept until it ends. Of a longer one, no
	## more than the command is.
	option max_client_line = 512;

	## Commands that are logged. A client's line that starts with none of them
	## may be a password, and leaves no trace.
	const verbs: set[string] = {
		"APOP",
		"AUTH",
		"CAPA",
		"DELE",
		"LANG",
		"LAST",
		"LIST",
		"NOOP",
		"PASS",
		"QUIT",
		"RETR",
		"RSET",
		"STAT",
		"STLS",
		"TOP",
		"UIDL",
		"USER",
		"UTF8",
		"XOIP",
		"XSENDER",
		"XTND",
	} &redef;

	## Bytes of a connection have been held long enough.
	##
	## s: The connection's state.
	global held_long_enough: event(s: State);
}

redef record State += {
	## The server's bytes that are held.
	held: vector of string &default=vector();
	## How many there are.
	held_bytes: count &default=0;
	## When the first of them came.
	held_since: time &optional;
	## Whether a timer runs for them.
	timed: bool &default=F;
	## Zeek's sequence number of the server's next byte, counted from 1.
	server_next: count &default=1;
	## Zeek's sequence number of the client's next byte, counted from 1.
	client_next: count &default=1;
	## Whether bytes were dropped, because there were too many before the
	## connection proved to be POP3.
	dropped: bool &default=F;
	## The client's line so far.
	line: string &default="";
	## Whether the rest of that line is to be dropped.
	skip_line: bool &default=F;
	## Whether an AUTH is under way.
	sasl: bool &default=F;
	## The server's line so far, during an AUTH.
	challenge: string &default="";
	## Whether the client's next line answers a challenge.
	challenged: bool &default=F;
	## Whether the client's last command was STLS.
	stls: bool &default=F;
};

function deliver_contents(ports: table[port] of bool)
	{
	for ( p in exact_ports )
		ports[p] = T;
	}

event zeek_init()
	{
	# By its signature alone a connection is missed whose first packets were lost.
	Analyzer::register_for_ports(Analyzer::ANALYZER_POP3, exact_ports);
	deliver_contents(tcp_content_delivery_ports_orig);
	deliver_contents(tcp_content_delivery_ports_resp);
	}

function write_held(s: State)
	{
	if ( s$held_bytes == 0 )
		return;

	emit(s, Info($ts=s$held_since, $uid=s$uid, $seq=0, $kind="contents",
	    $offset=s$server_next - 1 - s$held_bytes, $length=s$held_bytes,
	    $data=encode_base64(join_string_vec(s$held, ""))));
	s$held = vector();
	s$held_bytes = 0;
	}

hook settle(s: State)
	{
	if ( s$exact && ! s$dropped )
		write_held(s);
	}

event held_long_enough(s: State)
	{
	s$timed = F;

	if ( s$held_bytes == 0 || ! s$confirmed )
		return;

	local left = s$held_since + max_hold - network_time();

	if ( left > 0sec )
		{
		s$timed = T;
		schedule left { held_long_enough(s) };
		}
	else
		write_held(s);
	}

# Bounds what a connection costs that never proves to be POP3.
function drop_if_too_much(s: State)
	{
	if ( s$server_next + s$client_next <= max_unconfirmed_bytes
	    && |s$pending| <= max_unconfirmed_rows )
		return;

	s$dropped = T;
	s$pending = vector();
	s$held = vector();
	s$held_bytes = 0;
	s$line = "";
	}

hook confirming(s: State)
	{
	if ( ! s$exact )
		return;

	if ( ! s$dropped )
		{
		if ( s$held_bytes > 0 && ! s$timed )
			{
			s$timed = T;
			schedule max_hold { held_long_enough(s) };
			}

		return;
		}

	s$dropped = F;
	s$pending = vector();

	if ( s$server_next > 1 )
		note_gap(s, F, 0, s$server_next - 1);

	if ( s$client_next > 1 )
		note_gap(s, T, 0, s$client_next - 1);
	}

# Bytes are missing up to here: Zeek's sequence number counts from 1.
function jump(s: State, is_orig: bool, seq: count)
	{
	local from = is_orig ? s$client_next : s$server_next;

	if ( seq <= from )
		return;

	if ( ! s$dropped )
		write_held(s);

	if ( is_orig )
		{
		s$client_next = seq;
		# Clients seldom cut a command in two: what comes next most likely
		# starts one.
		s$line = "";
		s$skip_line = F;
		}
	else
		{
		s$server_next = seq;
		s$challenge = "";
		}

	s$sasl = F;
	s$challenged = F;

	if ( ! s$dropped )
		note_gap(s, is_orig, from - 1, seq - from);
	}

event content_gap(c: connection, is_orig: bool, seq: count, length: count)
	{
	if ( ! c?$pop3_events )
		return;

	local s = c$pop3_events;

	if ( s$exact && ! s$tls )
		jump(s, is_orig, seq + length);
	}

# Whether the server asks for more, or has done with the AUTH.
function watch_challenge(s: State, contents: string)
	{
	local lines = split_string(s$challenge + contents, /\n/);
	local last = |lines| - 1;
	s$challenge = |lines[last]| > 8 ? lines[last][0:8] : lines[last];

	for ( i in lines )
		{
		if ( i == last )
			break;

		if ( /(\+OK|-ERR).*/ == lines[i] )
			{
			s$sasl = F;
			s$challenged = F;
			}
		else if ( lines[i][0:1] == "+" )
			s$challenged = T;
		}
	}

# RFC 4422, section 3: a client's answer stands on a line of its own, and may
# look like a command.
function sent(s: State, line: string)
	{
	if ( s$challenged )
		{
		s$challenged = F;
		return;
		}

	local words = split_string(strip(line), /[ \t]+/);
	local verb = to_upper(words[0]);

	if ( verb !in verbs )
		return;

	local row = Info($ts=network_time(), $uid=s$uid, $id=s$id, $seq=0,
	    $kind="sent", $command=verb, $offset=s$server_next - 1);

	if ( |words| > 1 && verb in numbered )
		{
		local arg = |words| == 3 && verb == "TOP" ? cat(words[1], " ", words[2]) :
		    words[1];

		if ( ( |words| == 2 || verb == "TOP" )
		    && /[0-9]{1,10}( [0-9]{1,10})?/ == arg )
			{
			row$length = |arg|;
			row$data = encode_base64(arg);
			}
		}

	s$stls = verb == "STLS";
	s$sasl = verb == "AUTH" && |words| > 1;
	s$challenge = "";
	emit(s, row);
	}

function client_bytes(s: State, seq: count, contents: string)
	{
	if ( seq != s$client_next )
		jump(s, T, seq);

	s$client_next = seq + |contents|;

	if ( s$dropped )
		return;

	local lines = split_string(contents, /\n/);
	local last = |lines| - 1;

	if ( ! s$skip_line )
		lines[0] = s$line + lines[0];
	else if ( last > 0 )
		{
		lines[0] = s$line;
		s$skip_line = F;
		}

	if ( ! s$skip_line )
		s$line = lines[last];

	for ( i in lines )
		{
		if ( i == last )
			break;

		sent(s, lines[i]);
		}

	if ( |s$line| > max_client_line )
		{
		s$line = s$line[0:64];
		s$skip_line = T;
		}

	if ( ! s$confirmed )
		drop_if_too_much(s);
	}

event pop3_reply(c: connection, is_orig: bool, cmd: string, msg: string)
    &priority=-5
	{
	local s = c$pop3_events;

	if ( s$exact
	    && s$login$done
	    && s$confirmed
	    && release_analyzer
	    && ! Pop3Files::wanted )
		disable_analyzer(c$id, current_analyzer(), F, T);
	}

event tcp_contents(c: connection, is_orig: bool, seq: count, contents: string)
	{
	if ( ! c?$pop3_events )
		{
		if ( c$id$resp_p !in exact_ports )
			return;

		begin(c, T);
		}

	local s = c$pop3_events;

	if ( ! s$exact || s$tls )
		return;

	# Zeek's analyzer may have given up before the server agreed.
	if ( s$stls && contents[0:2] == "\x16\x03" )
		{
		turn_to_tls(s);
		return;
		}

	if ( is_orig )
		{
		client_bytes(s, seq, contents);
		return;
		}

	if ( seq != s$server_next )
		jump(s, F, seq);

	local n = |contents|;
	s$server_next = seq + n;

	if ( s$dropped )
		return;

	if ( s$held_bytes == 0 )
		{
		s$held_since = network_time();

		if ( s$confirmed && ! s$timed )
			{
			s$timed = T;
			schedule max_hold { held_long_enough(s) };
			}
		}

	s$held += contents;
	s$held_bytes += n;

	if ( s$held_bytes >= contents_bytes )
		write_held(s);

	if ( s$sasl )
		watch_challenge(s, contents);

	if ( ! s$confirmed )
		drop_if_too_much(s);
	}
