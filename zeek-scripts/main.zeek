##! The log of POP3 events, and the rows that both forms share. Rows are only
##! written here; the readers of the log work out what they mean.
##!
##! Rows of one connection are in the order of ``seq``.

@load base/frameworks/logging
@load base/protocols/conn/removal-hooks
@load base/protocols/pop3
@load ./handles

module Pop3Events;

export {
	redef enum Log::ID += { LOG };

	## A hook to veto or change rows of the log before they are written. Copy a
	## row with copy() to keep it.
	global log_policy: Log::PolicyHook;

	## The endpoints of a connection: always these four columns, whatever a
	## site adds to ``conn_id``.
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
		## Network time of the packet.
		ts: time &log;
		## The connection's unique ID, as in conn.log.
		uid: string &log;
		## The connection's endpoints; on control rows only.
		id: Endpoints &log &optional;
		## The number of this row in its connection, from 0.
		seq: count &log;
		## The kind of row: request, reply, data, end, contents, sent, gap,
		## unexpected, login, starttls or close.
		kind: string &log;
		## The command, status, direction or outcome.
		command: string &log &optional;
		## The offset in the stream, from 0: of the first byte of
		## ``contents``; of the byte after the last one that the server had
		## sent at ``sent``; of the first missing byte at ``gap``.
		offset: count &log &optional;
		## Bytes in ``data`` before encoding. For ``gap``: missing bytes.
		## For ``sent`` without data: the number of equal lines, if more
		## than one.
		length: count &log &optional;
		## The bytes in base64. Unset if there are none.
		data: string &log &optional;
	};

	## The state of a connection.
	type State: record {
		## The connection's unique ID.
		uid: string;
		## The connection's endpoints, for control rows.
		id: Endpoints;
		## The number of the next row.
		seq: count &default=0;
		## T if the connection has the exact form.
		exact: bool &default=F;
		## T if rows may be written; until then they are kept.
		confirmed: bool &default=T;
		## Rows that are kept until then.
		pending: vector of Info &optional;
		## T once a row has said that a limit was reached.
		limited: bool &default=F;
	};

	## Gives a connection its state.
	##
	## c: The connection.
	##
	## exact: T for the exact form.
	global begin: function(c: connection, exact: bool): State;

	## Writes a row, or keeps it while the connection is not confirmed.
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
	## command: The row's command; unset if empty.
	##
	## data: The row's bytes; unset if empty.
	global note: function(s: State, kind: string, command: string, data: string);

	## Writes a gap row.
	##
	## s: The connection's state.
	##
	## is_orig: T if the client's bytes are missing.
	##
	## offset: Where they are missing, from 0.
	##
	## length: How many bytes are missing.
	global note_gap: function(s: State, is_orig: bool, offset: count,
	    length: count);

	## Writes a row which says that a limit was reached and a part of the
	## connection is not in the log; once per connection.
	##
	## s: The connection's state.
	##
	## what: What the limit is about.
	global note_limit: function(s: State, what: string);

	## Called when a connection ends, before its last row.
	##
	## c: The connection.
	##
	## s: The connection's state.
	global closing: hook(c: connection, s: State);
}

redef record connection += {
	## The state of a POP3 connection.
	pop3_events: State &optional;
};

function no_extension(path: string)
	{ }

# The readers of this log need Zeek's own format, whatever the format of the
# site's other logs.
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
	}

function emit(s: State, row: Info)
	{
	if ( ! s$confirmed )
		{
		if ( s?$pending )
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

function note_limit(s: State, what: string)
	{
	if ( s$limited || ! s$confirmed )
		return;

	s$limited = T;
	note(s, "unexpected", "limit", what);
	}

hook finalize(c: connection)
	{
	local s = c$pop3_events;
	hook closing(c, s);

	if ( s$confirmed )
		note(s, "close", "", c$history);
	}

function begin(c: connection, exact: bool): State
	{
	local s = State($uid=c$uid, $id=Endpoints($orig_h=c$id$orig_h,
	    $orig_p=c$id$orig_p, $resp_h=c$id$resp_h, $resp_p=c$id$resp_p),
	    $exact=exact);
	c$pop3_events = s;
	Conn::register_removal_hook(c, finalize);
	return s;
	}
