##! What the exact form holds before it is written: the server's bytes and the row
##! for the client's last lines, for a while; and all of a connection until it has
##! proved to be POP3. All of that is bounded.

@load ./main
@load ./secrets

module Pop3Events;

export {
	## How many bytes of a server are held before they are written.
	option contents_bytes = 32768;

	## How many bytes of all servers together.
	option max_held_bytes = 16777216;

	## How long bytes and lines are held before they are written.
	option max_hold = 1sec;

	## How many bytes a connection may bring, either way, before it proves to
	## be POP3. The bytes of one that brings more are not kept; gap rows say
	## so if it proves to be POP3 later.
	option max_unconfirmed_bytes = 65536;

	## How many rows are kept for a connection before it proves to be POP3.
	option max_unconfirmed_rows = 100;

	## How many bytes of commands a client may send at once, without an answer
	## of the server.
	option max_pipelined_bytes = 65536;

	## How many bytes are kept for the connections of one client that have yet
	## to prove to be POP3, or to end a long line. Beyond it, the oldest of
	## them gives way.
	option max_kept_of_client = 2097152;

	## The same for all connections together.
	option max_kept_bytes = 16777216;
}

# Commands of which all may be logged, and which begin neither a login nor TLS.
const plain_verbs = set("RETR", "TOP", "DELE", "LIST", "UIDL", "NOOP", "STAT", "RSET",
    "LAST", "CAPA", "QUIT");

# The length of a line that every server reads as one (RFC 2449, section 4).
const max_whole_line = 255;

# What a string costs beside its bytes.
const chunk_bytes = 128;

# Connections for which bytes are kept, in the order in which that began.
type KeptQueue: record {
	states: table[count] of State &default=table();
	first: count &default=1;
	last: count &default=0;
	bytes: count &default=0;
};

global kept_queue = KeptQueue();
global kept_of_client: table[addr] of KeptQueue;

global servers_holding = 0;
global contents_limit = 32768;
global chunks_limit = 512;

# Bytes of a connection have been held long enough.
global held_long_enough: event(s: State);

# The bytes of all servers together stay within the bound.
function share_held_bytes(more: bool)
	{
	if ( more )
		++servers_holding;
	else
		--servers_holding;

	contents_limit = servers_holding == 0 ? contents_bytes :
	    max_held_bytes / servers_holding;

	if ( contents_limit > contents_bytes )
		contents_limit = contents_bytes;

	# A chunk counts as much as 64 bytes.
	chunks_limit = contents_limit / 64 + 1;
	}

# The start of the line that a text ends with.
function last_line_of(before: string, text: string): string
	{
	# Without a line end find_str() is the faster one, near the end rfind_str().
	if ( find_str(text, "\n") < 0 )
		return |before| >= 80 ? before : before + text[0:80];

	local at = rfind_str(text, "\n");
	return text[at + 1 : at + 81];
	}

# Keeps the server's last line, with the bytes that were held so far.
function follow_server_line(s: State, held: string)
	{
	if ( s$server_line_at >= s$server_next )
		return;

	local known = |held| - ( s$server_next - s$server_line_at );
	s$server_line = last_line_of(s$server_line, held[known:]);
	s$server_line_at = s$server_next;
	}

# The server's next line begins somewhere.
function lose_server_line(s: State)
	{
	s$server_line = "?";
	s$server_line_at = s$server_next;
	}

function write_pending_row(s: State)
	{
	if ( ! s?$pending_row )
		return;

	if ( |s$pending_commands| > 0 )
		{
		local data = join_string_vec(s$pending_commands, "\n");
		s$pending_row$length = |data|;
		s$pending_row$data = encode_base64(data);
		s$pending_commands = vector();
		}
	else if ( s$pending_lines > 1 )
		s$pending_row$length = s$pending_lines;

	write_row(s, s$pending_row);
	delete s$pending_row;
	}

function drop_server_chunks(s: State)
	{
	s$budget_at = s$server_next;
	s$budget_chunks = 0;

	if ( s$server_held == 0 )
		return;

	s$server_chunks = vector();
	s$server_held = 0;
	share_held_bytes(F);
	}

# Writes all that is held.
function write_held(s: State)
	{
	write_pending_row(s);

	if ( s$server_held == 0 )
		return;

	local data = join_string_vec(s$server_chunks, "");
	follow_server_line(s, data);
	budget_add_held(s);
	write_row(s, Info($ts=s$server_held_since, $uid=s$uid, $seq=0, $kind="contents",
	    $offset=s$server_next - 1 - s$server_held, $length=s$server_held,
	    $data=encode_base64(data)));
	drop_server_chunks(s);
	}

function start_hold_timer(s: State)
	{
	s$timed = T;
	schedule max_hold { held_long_enough(s) };
	}

event held_long_enough(s: State)
	{
	s$timed = F;
	local since = network_time();

	if ( s$server_held > 0 )
		since = s$server_held_since;

	if ( s?$pending_row && s$pending_row$ts < since )
		since = s$pending_row$ts;

	local left = since + max_hold - network_time();

	if ( left <= 0sec )
		write_held(s);
	else if ( s$server_held > 0 || s?$pending_row )
		{
		s$timed = T;
		schedule left { held_long_enough(s) };
		}
	}

function leave_kept_queue(q: KeptQueue, place: count)
	{
	delete q$states[place];

	while ( q$first <= q$last && q$first !in q$states )
		++q$first;
	}

# Nothing is kept for this connection any more.
function release_kept(s: State)
	{
	if ( s$kept == 0 )
		return;

	local q = kept_of_client[s$id$orig_h];
	q$bytes -= s$kept;
	kept_queue$bytes -= s$kept;
	leave_kept_queue(q, s$kept_place_of_client);
	leave_kept_queue(kept_queue, s$kept_place);

	if ( |q$states| == 0 )
		delete kept_of_client[s$id$orig_h];

	s$kept = 0;
	}

# What a connection has brought is too much before it proves to be POP3.
function drop_unconfirmed(s: State)
	{
	s$dropped = T;
	delete s$unconfirmed_rows;
	delete s$pending_row;
	drop_server_chunks(s);
	}

# Bytes of the client's line that are not kept: no more is remembered than whether
# the line is one for every server.
function skip_client_bytes(s: State, bytes: string)
	{
	if ( bytes == "" )
		return;

	if ( s$too_long && ! s$skip_unclear && ( ( s$skip_cr && bytes[0] != "\r" )
	    || /[\x00 \t]/ in bytes
	    || ( find_str(bytes, "\r") >= 0 && /\r[^\r]/ in bytes ) ) )
		s$skip_unclear = T;

	s$skip_cr = ends_with(bytes, "\r");
	}

# No more than the start of the client's line is used.
function cut_client_line(s: State)
	{
	s$too_long = T;
	s$skip_cr = s$skip_unclear = F;
	skip_client_bytes(s, s$line[max_whole_line:]);
	s$line = s$line[0:max_whole_line];
	s$skip = T;
	s$long = F;
	}

function give_way(s: State)
	{
	release_kept(s);

	if ( s$long )
		cut_client_line(s);

	if ( ! s$confirmed )
		drop_unconfirmed(s);
	}

function join_kept_queue(q: KeptQueue, s: State): count
	{
	++q$last;
	q$states[q$last] = s;
	return q$last;
	}

# So many bytes are kept for this connection.
function set_kept(s: State, n: count)
	{
	local client = s$id$orig_h;

	if ( client !in kept_of_client )
		kept_of_client[client] = KeptQueue();

	local q = kept_of_client[client];

	if ( s$kept == 0 )
		{
		s$kept_place = join_kept_queue(kept_queue, s);
		s$kept_place_of_client = join_kept_queue(q, s);
		}

	q$bytes = q$bytes + n - s$kept;
	kept_queue$bytes = kept_queue$bytes + n - s$kept;
	s$kept = n;

	while ( q$bytes > max_kept_of_client )
		give_way(q$states[q$first]);

	while ( kept_queue$bytes > max_kept_bytes )
		give_way(kept_queue$states[kept_queue$first]);
	}

# Counts what is kept for a connection, in steps.
function count_kept(s: State)
	{
	local n = s$long ? |s$line| : 0;

	if ( ! s$confirmed && ! s$dropped )
		{
		local chunks = chunk_bytes * |s$server_chunks|;

		if ( s$server_next + s$client_next + chunks > max_unconfirmed_bytes
		    || |s$unconfirmed_rows| > max_unconfirmed_rows )
			drop_unconfirmed(s);
		else
			n += s$server_held + chunks + 500 * |s$unconfirmed_rows|;
		}

	if ( n == 0 )
		release_kept(s);
	else if ( n > s$kept + 2048 )
		set_kept(s, n);
	}

# A known command and a status line have been seen: POP3.
function confirm_pop3(s: State)
	{
	if ( s$confirmed )
		return;

	s$confirmed = T;
	count_kept(s);

	if ( s$dropped )
		{
		s$dropped = F;
		write_limit_row(s, "max_unconfirmed");

		if ( s$server_next > 1 )
			write_gap_row(s, F, 0, s$server_next - 1);

		if ( s$client_next > 1 )
			write_gap_row(s, T, 0, s$client_next - 1);
		}
	else
		{
		for ( i in s$unconfirmed_rows )
			write_row(s, s$unconfirmed_rows[i]);

		delete s$unconfirmed_rows;
		}

	if ( s$early_limit != "" )
		write_limit_row(s, s$early_limit);

	if ( s$server_held > 0 || s?$pending_row )
		start_hold_timer(s);
	}

# Whether the client has sent too many bytes of commands, and still has no answer.
function passes_lines(s: State): bool
	{
	return s$pipelined > max_pipelined_bytes && s$pipelined_at == s$server_next;
	}

# Whether the client sends so many bytes of commands at once, without an answer of
# the server, that they are not logged.
function pipelines_too_much(s: State, n: count): bool
	{
	s$pipelined = s$pipelined_at == s$server_next ? s$pipelined + n : n;
	s$pipelined_at = s$server_next;
	return passes_lines(s);
	}

# A row that is not written yet.
function set_pending_row(s: State, verb: string)
	{
	write_pending_row(s);
	local row = Info($ts=network_time(), $uid=s$uid, $id=s$id, $seq=0,
	    $kind="sent", $offset=s$server_next - 1);

	if ( verb != "" )
		row$command = verb;

	# Of a connection whose rows are dropped, the last one is kept: the server may
	# be about to answer it.
	s$pending_row = row;
	s$pending_lines = 1;

	if ( s$confirmed && ! s$timed )
		start_hold_timer(s);
	}

# A command that shares the row of those that were sent with it.
function add_shared_line(s: State, command: string)
	{
	if ( ! s?$pending_row || |s$pending_commands| == 0
	    || s$pending_row$offset + 1 != s$server_next )
		{
		set_pending_row(s, "lines");
		s$pending_row$data = "";
		}

	s$pending_commands += command;
	}

# Whether a line without data shares the row of the one before.
function repeats_pending_row(s: State, verb: string): bool
	{
	return s?$pending_row && ! s$pending_row?$data
	    && s$pending_row$offset + 1 == s$server_next
	    && ( s$pending_row?$command ? s$pending_row$command : "" ) == verb;
	}

# A row for lines of the client, with the command (empty if it is not a known one)
# and what of the argument may be logged. Equal lines without data that follow each
# other share one. So do commands without secrets when there are more than the
# traffic accounts for.
function add_lines(s: State, verb: string, data: string, lines: count)
	{
	if ( data == "" && repeats_pending_row(s, verb) )
		{
		s$pending_lines += lines;
		return;
		}

	if ( ! budget_take(s, 90 + |data| / 4) )
		{
		if ( lines == 1 && s$confirmed && verb in plain_verbs && ! log_secrets
		    && ! pipelines_too_much(s, 20) )
			{
			add_shared_line(s, data == "" ? verb : cat(verb, " ", data));
			return;
			}

		write_limit_row(s, "lines");
		data = "";

		if ( verb != "?" )
			verb = "";

		if ( repeats_pending_row(s, verb) )
			{
			s$pending_lines += lines;
			return;
			}
		}

	set_pending_row(s, verb);
	s$pending_lines = lines;

	if ( data != "" )
		{
		s$pending_row$length = |data|;
		s$pending_row$data = encode_base64(data);
		}
	}
