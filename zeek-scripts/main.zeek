##! The log of POP3 events, and the rows that both forms share: requests,
##! replies, logins, gaps, the end. Rows are only written down here; what they
##! mean is worked out by the readers of the log.
##!
##! Rows of one connection stand in the order of ``seq``, which is the order in
##! which Zeek raised the events.

@load base/frameworks/logging
@load base/protocols/conn/removal-hooks
@load base/protocols/pop3
@load ./handles
@load ./secrets

module Pop3Events;

export {
	redef enum Log::ID += { LOG };

	## A hook to veto or change rows of the log before they are written. A row
	## is only lent: what wants to keep one takes a copy().
	global log_policy: Log::PolicyHook;

	## The endpoints of a connection. A record of its own, so that the
	## columns stay these four whatever a site adds to ``conn_id``.
	type Endpoints: record {
		## The client's address.
		orig_h: addr &log;
		## The client's port.
		orig_p: port &log;
		## The server's address.
		resp_h: addr &log;
		## The server's port.
		resp_p: port &log;
	};

	## One row of the log.
	type Info: record {
		## When it happened: network time of the packet.
		ts: time &log;
		## The connection's unique ID, as in conn.log.
		uid: string &log;
		## The connection's endpoints; on control rows only.
		id: Endpoints &log &optional;
		## The number of this row in its connection, from 0.
		seq: count &log;
		## What the row is: request, reply, data, header, end, contents,
		## sent, gap, unexpected, login, starttls or close.
		kind: string &log;
		## The command, status, header field name, direction or outcome.
		command: string &log &optional;
		## The offset in the stream, from 0: of the first byte of
		## ``contents``, of the byte after the last one that the server had
		## sent at ``sent``, of the first byte missing at ``gap``.
		offset: count &log &optional;
		## Bytes in ``data`` before encoding; for ``gap``, bytes missing.
		length: count &log &optional;
		## The bytes themselves, in base64. Unset when there are none.
		data: string &log &optional;
	};

	## What is remembered of a connection.
	type State: record {
		## The connection's unique ID.
		uid: string;
		## The connection's endpoints, for control rows.
		id: Endpoints;
		## The number of the next row.
		seq: count &default=0;
		## Whether the server's bytes are logged in place of its lines.
		exact: bool &default=F;
		## Whether rows may be written. In the exact form they are kept back
		## until Zeek's analyzer has understood a command.
		confirmed: bool &default=T;
		## Rows kept back until then.
		pending: vector of Info &optional;
		## Whether the connection has turned to TLS.
		tls: bool &default=F;
		## Whether a client command has been understood.
		asked: bool &default=F;
	};

	## Whether ``plain.zeek`` writes header rows and end rows.
	option mark_structure = T;

	## Commands whose arguments are message numbers.
	const numbered: set[string] = {
		"RETR",
		"TOP",
		"LIST",
		"UIDL",
		"DELE"
	} &redef;

	## Gives a connection its state.
	##
	## c: The connection.
	##
	## exact: Whether the server's bytes are logged in place of its lines.
	global begin: function(c: connection, exact: bool): State;

	## Writes a row, or keeps it back while the connection is not confirmed.
	##
	## s: The connection's state.
	##
	## row: The row; its ``seq`` is set here.
	global emit: function(s: State, row: Info);

	## Writes a control row.
	##
	## s: The connection's state.
	##
	## kind: The row's kind.
	##
	## command: The row's command; none if empty.
	##
	## data: The row's bytes; none if empty.
	global note: function(s: State, kind: string, command: string, data: string);

	## Writes a gap row.
	##
	## s: The connection's state.
	##
	## is_orig: Whether the client's bytes are missing.
	##
	## offset: Where they are missing, from 0.
	##
	## length: How many.
	global note_gap: function(s: State, is_orig: bool, offset: count,
	    length: count);

	## Writes down that the connection turns to TLS, once.
	##
	## s: The connection's state.
	global turn_to_tls: function(s: State);

	## Called once for a connection that proves to be POP3, before the rows
	## kept back are written.
	##
	## s: The connection's state.
	global confirming: hook(s: State);

	## Called before a row that no earlier bytes may follow.
	##
	## s: The connection's state.
	global settle: hook(s: State);
}

redef record connection += {
	## What is remembered of a POP3 connection.
	pop3_events: State &optional;
};

redef record State += {
	## How the client logs in, as far as the user's name depends on it.
	login: Login &default=Login();
};

# A client may ask for every mail of a mailbox at once. Zeek keeps 10 commands
# and loses step beyond them; the bound stays one.
@ifdef ( POP3::max_pending_commands )
redef POP3::max_pending_commands = 65536;
@endif

global plain_connections = 0;

function no_extension(path: string)
	{ }

# The readers of this log want Zeek's own format, whatever the site's other logs
# look like.
function our_filter(): Log::Filter
	{
	local config: table[string] of string;
	config["use_json"] = "F";
	config["tsv"] = "F";
	config["enable_utf_8"] = "F";
	config["separator"] = "\x09";
	config["set_separator"] = ",";
	config["empty_field"] = "(empty)";
	config["unset_field"] = "-";
	config["meta_prefix"] = "#";

	local names: table[string] of string;

	return Log::Filter($name="default", $writer=Log::WRITER_ASCII,
	    $field_name_map=names, $scope_sep=".", $ext_func=no_extension,
	    $config=config);
	}

event zeek_init() &priority=5
	{
	local stream = Log::Stream($columns=Info, $path="pop3_events",
	    $policy=log_policy);

	# Zeek 8.1 and later cut strings.
@ifdef ( Log::default_max_field_string_bytes )
	stream$max_field_string_bytes = 0;
	stream$max_total_string_bytes = 0;
@endif

	Log::create_stream(LOG, stream);

	Log::remove_default_filter(LOG);
	Log::add_filter(LOG, our_filter());

@ifdef ( disable_module_events )
	disable_module_events("Pop3Lines");
@endif
	}

function emit(s: State, row: Info)
	{
	if ( ! s$confirmed )
		{
		s$pending += row;
		return;
		}

	row$seq = s$seq;
	++s$seq;
	Log::write(LOG, row);
	}

function note(s: State, kind: string, command: string, data: string)
	{
	local row = Info($ts=network_time(), $uid=s$uid, $id=s$id, $seq=0, $kind=kind);

	if ( command != "" )
		row$command = command;

	if ( data != "" )
		{
		row$length = |data|;
		row$data = encode_base64(data);
		}

	emit(s, row);
	}

function note_gap(s: State, is_orig: bool, offset: count, length: count)
	{
	emit(s, Info($ts=network_time(), $uid=s$uid, $id=s$id, $seq=0, $kind="gap",
	    $command=is_orig ? "client" : "server", $offset=offset,
	    $length=length));
	}

function turn_to_tls(s: State)
	{
	if ( s$tls )
		return;

	hook settle(s);
	note(s, "starttls", "", "");
	s$tls = T;
	}

function confirm(s: State)
	{
	hook confirming(s);
	s$confirmed = T;

	for ( i in s$pending )
		emit(s, s$pending[i]);

	delete s$pending;
	}

hook finalize(c: connection)
	{
	local s = c$pop3_events;
	hook settle(s);

	if ( s$confirmed )
		note(s, "close", "", c$history);

	if ( s$exact )
		return;

	--plain_connections;

@ifdef ( disable_module_events )
	if ( plain_connections == 0 )
		disable_module_events("Pop3Lines");
@endif
	}

function begin(c: connection, exact: bool): State
	{
	local s = State($uid=c$uid, $id=Endpoints($orig_h=c$id$orig_h,
	    $orig_p=c$id$orig_p, $resp_h=c$id$resp_h, $resp_p=c$id$resp_p),
	    $exact=exact);
	c$pop3_events = s;
	Conn::register_removal_hook(c, finalize);

	if ( exact )
		{
		s$confirmed = F;
		s$pending = vector();
		return s;
		}

	++plain_connections;

@ifdef ( enable_module_events )
	if ( plain_connections == 1 )
		enable_module_events("Pop3Lines");
@endif

	return s;
	}

event pop3_request(c: connection, is_orig: bool, command: string, arg: string)
	{
	local s = c?$pop3_events ? c$pop3_events : begin(c, F);
	s$asked = T;
	watch_login(s$login, command, arg);
	local shown = argument_without_secret(s$login, command, arg);

	# In the exact form the command itself is in a sent row.
	if ( ! s$exact )
		note(s, "request", command, shown);
	else if ( shown != ""
	    && ! ( command in numbered && /[0-9]{1,10}( [0-9]{1,10})?/ == shown ) )
		note(s, "request", command, shown);
	}

event pop3_reply(c: connection, is_orig: bool, cmd: string, msg: string)
	{
	local s = c?$pop3_events ? c$pop3_events : begin(c, F);
	watch_reply(s$login, cmd);

	if ( ! s$exact )
		{
		note(s, "reply", cmd, msg);
		return;
		}

	# An answer to a command, after a greeting that looked right: POP3. Zeek's
	# own confirmation comes with the same reply, but not to APOP or AUTH.
	if ( ! s$confirmed && s$asked )
		confirm(s);
	}

event pop3_unexpected(c: connection, is_orig: bool, msg: string, detail: string)
	{
	local s = c?$pop3_events ? c$pop3_events : begin(c, F);

	if ( is_orig )
		s$asked = T;

	note(s, "unexpected", msg, detail_without_secret(msg, detail));
	}

event pop3_login_success(c: connection, is_orig: bool, user: string,
    password: string)
	{
	local s = c?$pop3_events ? c$pop3_events : begin(c, F);
	note(s, "login", "success", user_of_login(s$login, user, password));
	s$login$done = T;
	}

event pop3_login_failure(c: connection, is_orig: bool, user: string,
    password: string)
	{
	local s = c?$pop3_events ? c$pop3_events : begin(c, F);
	note(s, "login", "failure", user_of_login(s$login, user, password));
	}

event pop3_starttls(c: connection)
	{
	local s = c?$pop3_events ? c$pop3_events : begin(c, F);

	if ( ! s$confirmed )
		confirm(s);

	turn_to_tls(s);
	}

event content_gap(c: connection, is_orig: bool, seq: count, length: count)
	{
	if ( ! c?$pop3_events )
		return;

	local s = c$pop3_events;
	watch_gap(s$login, is_orig);

	if ( ! s$exact )
		note_gap(s, is_orig, seq - 1, length);
	}
