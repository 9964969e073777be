##! The log of POP3 events, and the rows that both forms share. The script writes
##! rows; the readers of the log work out what they mean.
##!
##! Rows of one connection are in the order of ``seq``.

@load base/frameworks/logging
@load base/frameworks/notice/weird
@load base/protocols/conn/removal-hooks
@load base/protocols/pop3
@load ./types
@load ./handles

module Pop3Events;

export {
	## A hook to veto or change rows of the log before they are written. Copy a
	## row with copy() to keep it.
	global log_policy: Log::PolicyHook;

	## How long Zeek keeps a POP3 connection in which nothing is said. A POP3
	## server waits for at least 10 minutes (RFC 1939, section 3), Zeek for
	## :zeek:see:`tcp_inactivity_timeout` if that is longer.
	option inactivity_timeout = 20min;

	## How many bytes of rows all connections of the plain form may cause
	## together beyond what their traffic accounts for. When it is used up, a
	## connection is given up, and a row says so.
	option max_rows_ahead = 262144;

	## How much of it one client may use.
	option max_rows_ahead_of_client = 65536;
}

# How many rows of a kind that a peer can cause at will.
const max_unexpected_rows = 10;

# Called when a connection ends, before its last row.
global closing: hook(c: connection, s: State);

function no_extension(path: string)
	{ }

# The readers of this log need Zeek's own format, whatever the format of the
# site's other logs.
function tsv_filter(): Log::Filter
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
	Log::add_filter(LOG, tsv_filter());
	}

# Adds to a table that cannot be changed when Zeek runs.
function add_likely_server_ports(likely: set[port], ports: set[port])
	{
	for ( p in ports )
		add likely[p];
	}

# Zeek's analyzer quotes lines that it does not know, which may be secrets.
hook Weird::log_policy(rec: Weird::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( rec?$addl && rec$name[0:5] == "pop3_" && rec$name[0:12] != "pop3_events_" )
		delete rec$addl;
	}

# Writes a row, or keeps it while the connection is not confirmed.
function write_row(s: State, row: Info)
	{
	if ( ! s$confirmed )
		{
		if ( s?$unconfirmed_rows )
			s$unconfirmed_rows += row;

		return;
		}

	row$seq = s$seq;
	++s$seq;
	Log::write(LOG, row);
	}

# A control row; command and data are unset if they are empty.
function control_row(s: State, kind: string, command: string, data: string): Info
	{
	local row = Info($ts=network_time(), $uid=s$uid, $id=s$id, $seq=0, $kind=kind);

	if ( command != "" )
		row$command = command;

	if ( data != "" )
		{
		row$length = |data|;
		row$data = encode_base64(data);
		}

	return row;
	}

function write_control_row(s: State, kind: string, command: string, data: string)
	{
	write_row(s, control_row(s, kind, command, data));
	}

# An unexpected row that says where the server's stream is.
function write_unexpected_row(s: State, command: string, data: string)
	{
	local row = control_row(s, "unexpected", command, data);

	if ( s$exact )
		row$offset = s$server_next - 1;

	write_row(s, row);
	}

# Bytes are missing: the client's or the server's, at an offset from 0.
function write_gap_row(s: State, is_orig: bool, offset: count, length: count)
	{
	write_row(s, Info($ts=network_time(), $uid=s$uid, $id=s$id, $seq=0, $kind="gap",
	    $command=is_orig ? "client" : "server", $offset=offset,
	    $length=length));
	}

# Writes a row which says that a limit was reached and a part of the connection is
# not in the log; once per connection.
function write_limit_row(s: State, what: string)
	{
	if ( ! s$confirmed )
		s$early_limit = what;

	if ( s$limited || ! s$confirmed )
		return;

	s$limited = T;
	write_control_row(s, "unexpected", "limit", what);

	if ( connection_exists(s$zeek_id) )
		Reporter::conn_weird("pop3_events_limit", lookup_connection(s$zeek_id), what,
		    "Pop3Events");
	}

hook finalize_pop3(c: connection)
	{
	local s = c$pop3_events;
	hook closing(c, s);

	if ( s$confirmed )
		write_control_row(s, "close", "", c$history);
	}

# Gives a connection its state.
function new_state(c: connection, exact: bool): State
	{
	local s = State($uid=c$uid, $id=Endpoints($orig_h=c$id$orig_h,
	    $orig_p=c$id$orig_p, $resp_h=c$id$resp_h, $resp_p=c$id$resp_p),
	    $zeek_id=c$id, $exact=exact);
	c$pop3_events = s;
	Conn::register_removal_hook(c, finalize_pop3);

	if ( inactivity_timeout > tcp_inactivity_timeout )
		set_inactivity_timeout(c$id, inactivity_timeout);

	return s;
	}

# Which side sent the packet, which the event does not say; both if that is unknown.
function senders_of_packet(c: connection): vector of string
	{
	local p = get_current_packet_header();
	local src = 0.0.0.0;

	if ( p?$ip )
		src = p$ip$src;
	else if ( p?$ip6 )
		src = p$ip6$src;

	if ( ! c?$tunnel && c$id$orig_h != c$id$resp_h )
		{
		if ( src == c$id$orig_h )
			return vector("client");

		if ( src == c$id$resp_h )
			return vector("server");
		}

	if ( p?$tcp && ! c?$tunnel && c$id$orig_p != c$id$resp_p )
		return vector(p$tcp$sport == c$id$orig_p ? "client" : "server");

	return vector("client", "server");
	}

# The stream of one side, or of both, is in doubt. Few rows say so.
function write_ambiguous_rows(s: State, what: string, c: connection)
	{
	if ( s$tls || s$ambiguous >= max_unexpected_rows )
		return;

	for ( i, who in senders_of_packet(c) )
		write_unexpected_row(s, what, who);

	++s$ambiguous;
	}

# The same bytes of a stream, with another text: the receiver may have either. A
# keep-alive repeats the last byte, as a NUL.
event rexmit_inconsistency(c: connection, t1: string, t2: string, tcp_flags: string)
	{
	if ( c?$pop3_events && t2 != "\x00" )
		write_ambiguous_rows(c$pop3_events, "rexmit_inconsistency", c);
	}

# A SYN behind the first bytes: Zeek counts that side's bytes from its number on, and
# takes what it has counted before for old ones. The receiver does not.
event conn_weird(name: string, c: connection, addl: string, source: string)
	{
	if ( name == "SYN_seq_jump" && c?$pop3_events )
		write_ambiguous_rows(c$pop3_events, "syn", c);
	}

# -- The budget for rows: a connection may cause about as many bytes of log as its
# traffic has. In the exact form each connection has its own. In the plain form Zeek
# raises many events for a packet, so connections may also take from what the others
# leave over.

# What a connection saves up.
const max_budget = 20000;

# What all connections of the plain form have taken beyond their traffic, and what
# each client.
global rows_ahead: int = 0;
global rows_ahead_of_client: table[addr] of int &default=+0 &write_expire=10min;

function return_rows_ahead(s: State, n: int)
	{
	rows_ahead = rows_ahead > n ? rows_ahead - n : 0;
	local client = s$id$orig_h;

	if ( client !in rows_ahead_of_client )
		return;

	if ( rows_ahead_of_client[client] > n )
		rows_ahead_of_client[client] -= n;
	else
		delete rows_ahead_of_client[client];
	}

function take_rows_ahead(s: State, n: int): bool
	{
	local client = s$id$orig_h;
	local taken = rows_ahead_of_client[client] + n;

	if ( rows_ahead + n > max_rows_ahead || taken > max_rows_ahead_of_client )
		return F;

	rows_ahead += n;
	rows_ahead_of_client[client] = taken;
	return T;
	}

# The traffic allows for rows of so many bytes.
function budget_add(s: State, n: count)
	{
	s$budget += n;

	if ( s$budget <= max_budget )
		return;

	if ( ! s$exact )
		return_rows_ahead(s, s$budget - max_budget / 2);

	s$budget = max_budget / 2;
	}

# The bytes of the server that are held count as well.
function budget_add_held(s: State)
	{
	budget_add(s, ( s$server_next - s$budget_at ) / 4
	    + 60 * ( |s$server_chunks| - s$budget_chunks ));
	s$budget_at = s$server_next;
	s$budget_chunks = |s$server_chunks|;
	}

# Rows or work worth so many bytes of rows are to be done. F if the traffic does
# not account for them.
function budget_take(s: State, n: int): bool
	{
	if ( s$budget < n && s$exact )
		budget_add_held(s);

	if ( s$budget < n )
		return ! s$exact && take_rows_ahead(s, n);

	s$budget -= n;
	return T;
	}
