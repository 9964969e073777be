##! The server's bytes in the exact form: held for a while, and until the connection
##! has proved to be POP3.

@load ./main
@load ./client
@load ./server

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

	## How many bytes are kept for all connections together before they prove
	## to be POP3.
	option max_unconfirmed_total = 16777216;

	## Bytes of a connection have been held long enough.
	##
	## s: The connection's state.
	global held_long_enough: event(s: State);
}

redef record State += {
	## How many bytes of the server are held.
	held_bytes: count &default=0;
	## When the first of them came.
	held_since: time &optional;
	## The bytes that are counted for this connection in what is kept for all
	## unconfirmed ones.
	kept: count &default=0;
	## Zeek's sequence number of the client's next byte, counted from 1.
	client_next: count &default=1;
};

global unconfirmed_bytes = 0;
global servers_holding = 0;
global contents_limit = 32768;

# The bytes of all servers together stay within the bound.
function share_held(more: bool)
	{
	if ( more )
		++servers_holding;
	else
		--servers_holding;

	contents_limit = servers_holding == 0 ? contents_bytes :
	    max_held_bytes / servers_holding;

	if ( contents_limit > contents_bytes )
		contents_limit = contents_bytes;
	}

function drop_held(s: State)
	{
	if ( s$held_bytes == 0 )
		return;

	s$held = vector();
	s$held_bytes = 0;
	share_held(F);
	}

function write_held(s: State)
	{
	write_run(s);

	if ( s$held_bytes == 0 )
		return;

	local data = join_string_vec(s$held, "");
	follow_server(s, data);
	earn(s, s$held_bytes / 4 + 60 * |s$held|);
	emit(s, Info($ts=s$held_since, $uid=s$uid, $seq=0, $kind="contents",
	    $offset=s$server_next - 1 - s$held_bytes, $length=s$held_bytes,
	    $data=encode_base64(data)));
	drop_held(s);
	}

function hold(s: State)
	{
	s$timed = T;
	schedule max_hold { held_long_enough(s) };
	}

event held_long_enough(s: State)
	{
	s$timed = F;
	local since = network_time();

	if ( s$held_bytes > 0 )
		since = s$held_since;

	if ( s?$run && s$run$ts < since )
		since = s$run$ts;

	local left = since + max_hold - network_time();

	if ( left <= 0sec )
		write_held(s);
	else if ( s$held_bytes > 0 || s?$run )
		{
		s$timed = T;
		schedule left { held_long_enough(s) };
		}
	}

function set_kept(s: State, n: count)
	{
	unconfirmed_bytes = unconfirmed_bytes + n - s$kept;
	s$kept = n;
	}

# What a connection has brought is too much before it proves to be POP3.
function drop_unconfirmed(s: State)
	{
	set_kept(s, 0);
	s$dropped = T;
	delete s$pending;
	delete s$run;
	drop_held(s);
	}

function bound_unconfirmed(s: State)
	{
	local n = s$held_bytes + |s$line| + 500 * |s$pending|;

	# Counted in steps.
	if ( n > s$kept + 2048 )
		set_kept(s, n);

	if ( s$server_next + s$client_next > max_unconfirmed_bytes
	    || |s$pending| > max_unconfirmed_rows
	    || unconfirmed_bytes > max_unconfirmed_total )
		drop_unconfirmed(s);
	}

# A known command and a status line have been seen: POP3.
function confirm(s: State)
	{
	if ( s$confirmed )
		return;

	s$confirmed = T;
	set_kept(s, 0);

	if ( s$dropped )
		{
		s$dropped = F;
		note_limit(s, "max_unconfirmed");

		if ( s$server_next > 1 )
			note_gap(s, F, 0, s$server_next - 1);

		if ( s$client_next > 1 )
			note_gap(s, T, 0, s$client_next - 1);
		}
	else
		{
		for ( i in s$pending )
			emit(s, s$pending[i]);

		delete s$pending;
		}

	if ( s$held_bytes > 0 || s?$run )
		hold(s);
	}
