##! The exact form: on the ports in :zeek:see:`Pop3Events::exact_ports` the bytes of
##! the server are logged, and a row for each line of the client. Other ports have
##! the plain form.
##!
##! All of it follows from the bytes of both sides. Zeek's POP3 analyzer is not
##! needed; see :zeek:see:`Pop3Events::release_analyzer`.
##!
##! Rows carry offsets in the server's stream, and these say how bytes and lines
##! belong together. The order of rows is only this:
##!
##! - contents rows are in the order of their offsets, sent rows in the order in
##!   which the client sent the lines;
##! - a sent row comes before the contents rows with the bytes at its offset and
##!   behind it;
##! - gap rows are between the contents rows: the server's where its bytes are
##!   missing, the client's where the server's stream was then.

@load ./main
@load ./plain
@load ./client
@load ./release
@load ./server
@load ./contents

module Pop3Events;

export {
	## The server ports on which bytes are logged.
	const exact_ports: set[port] = { 110/tcp } &redef;
}

# The bounds of a TLS record, with some space (RFC 8446, section 5.1).
const max_hello = 17000;

# Zeek's analyzer is not started on the exact ports where Zeek alone would not start
# it.
redef plain_ports = set();

redef record State += {
	## T if the server's next bytes need not be looked at.
	quiet: bool &default=F;
	## T once the connection has turned to TLS.
	tls: bool &default=F;
	## Where bytes of the client are missing for which there is no row yet.
	client_lost: count &optional;
};

function deliver_contents(ports: table[port] of bool)
	{
	for ( p in exact_ports )
		ports[p] = T;
	}

event zeek_init()
	{
	deliver_contents(tcp_content_delivery_ports_orig);
	deliver_contents(tcp_content_delivery_ports_resp);
	}

function turn_to_tls(s: State)
	{
	write_held(s);
	note(s, "starttls", "", "");
	s$tls = T;
	}

# What may have been a TLS record is held no longer.
function take_hello(s: State): string
	{
	local hello = s$hello;

	if ( hello != "" )
		{
		s$hello = "";
		--long_lines;
		}

	return hello;
	}

# Bytes are missing up to here: Zeek's sequence number counts from 1.
function jump(s: State, is_orig: bool, seq: count)
	{
	local from = is_orig ? s$client_next : s$server_next;

	if ( seq <= from )
		return;

	# Of a stream that has as many holes as pieces not each piece is logged: the
	# hole becomes larger.
	s$credit += 20;
	local affordable = spend(s, 200);

	if ( affordable )
		write_held(s);
	else if ( ! s$confirmed )
		drop_unconfirmed(s);
	else
		{
		note_limit(s, "gaps");
		write_run(s);
		drop_held(s);
		s$server_line = "?";
		s$server_line_at = s$server_next;
		}

	if ( is_orig )
		{
		s$client_next = seq;
		s$quiet = F;
		take_hello(s);
		client_gap(s);

		if ( ! affordable && ! s?$client_lost )
			s$client_lost = from - 1;
		}
	else
		{
		s$server_next = seq;
		server_gap(s);
		}

	if ( affordable && ! s$dropped && ! ( is_orig && s?$client_lost ) )
		note_gap(s, is_orig, from - 1, seq - from);
	}

function begin_exact(c: connection): State
	{
	local s = begin(c, T);
	s$confirmed = F;
	s$pending = vector();
	return s;
	}

event content_gap(c: connection, is_orig: bool, seq: count, length: count)
	{
	if ( ! c?$pop3_events && c$id$resp_p !in exact_ports )
		return;

	local s = c?$pop3_events ? c$pop3_events : begin_exact(c);

	if ( s$exact && ! s$tls )
		jump(s, is_orig, seq + length);
	}

function is_watched(s: State): bool
	{
	return s?$login || s$stls || s$stls_accepted || s$skip_lost || s$hello != "";
	}

# The rows of the client begin again behind a hole.
function end_client_hole(s: State)
	{
	if ( ! s$dropped )
		note_gap(s, T, s$client_lost, s$client_next - 1 - s$client_lost);

	delete s$client_lost;
	}

function from_client(s: State, seq: count, contents: string)
	{
	if ( seq != s$client_next )
		jump(s, T, seq);

	local n = |contents|;

	if ( s$skip && ! s$confirmed && find_str(contents, "\n") < 0 )
		{
		s$client_next += n;
		return;
		}

	if ( s$quiet && contents == s$again && s?$run )
		{
		# The same line once more.
		if ( s$run$offset + 1 == s$server_next )
			{
			++s$run_lines;
			++s$burst;
			}
		else
			{
			s$credit += 60 + n / 16;
			count_line(s);
			add_lines(s, s$run?$command ? s$run$command : "", "", 1);
			}

		s$client_next += n;
		return;
		}

	s$quiet = F;

	if ( s?$client_lost )
		{
		earn(s, 20);

		if ( ! spend(s, 200) )
			{
			s$client_next = seq + n;
			return;
			}

		end_client_hole(s);
		}

	local begins = s$stls_accepted && s$hello == "" && contents[0] == "\x16"
	    && between_lines(s) && long_lines < max_long_lines;

	if ( begins )
		++long_lines;

	if ( begins || s$hello != "" )
		{
		s$hello += contents;

		if ( |s$hello| < max_hello )
			{
			s$client_next = seq + n;
			return;
			}

		contents = take_hello(s);
		}

	client_bytes(s, contents);
	s$client_next = seq + n;

	if ( s$confirmed )
		s$quiet = ! is_watched(s);
	else if ( ! s$dropped )
		bound_unconfirmed(s);
	}

function from_server(s: State, seq: count, contents: string)
	{
	if ( seq != s$server_next )
		jump(s, F, seq);

	if ( s$hello != "" )
		{
		local hello = take_hello(s);

		if ( /\x16\x03/ == hello[0:2] && /[\x14-\x17]/ == contents[0] )
			{
			turn_to_tls(s);
			return;
			}

		client_bytes(s, hello);
		}

	local n = |contents|;

	if ( s$dropped && ! s$commanded )
		{
		s$server_line = ends_with(contents, "\n") ? "" : "?";
		s$server_line_at = s$server_next + n;
		}
	else if ( ! s$quiet )
		{
		watch_server(s, contents);
		s$quiet = s$confirmed && ! is_watched(s);
		}

	if ( ! s$dropped )
		{
		if ( s$held_bytes == 0 )
			{
			s$held_since = network_time();
			share_held(T);

			if ( s$confirmed && ! s$timed )
				hold(s);
			}

		s$held += contents;
		s$held_bytes += n;
		}

	s$server_next += n;

	if ( s$held_bytes >= contents_limit && s$confirmed )
		write_held(s);
	else if ( ! s$confirmed && ! s$dropped )
		bound_unconfirmed(s);
	}

event tcp_contents(c: connection, is_orig: bool, seq: count, contents: string)
	{
	if ( ! c?$pop3_events && c$id$resp_p !in exact_ports )
		return;

	local s = c?$pop3_events ? c$pop3_events : begin_exact(c);

	# Most packets are the server's, in the middle of a mail.
	if ( ! is_orig && s$quiet && s$held_bytes > 0 && seq == s$server_next )
		{
		s$server_next += |contents|;
		s$held_bytes += |contents|;
		s$held += contents;

		if ( s$held_bytes >= contents_limit )
			write_held(s);
		}
	else if ( ! s$exact || s$tls )
		return;
	else if ( is_orig )
		from_client(s, seq, contents);
	else
		from_server(s, seq, contents);
	}

hook closing(c: connection, s: State)
	{
	if ( ! s$exact )
		return;

	if ( s$confirmed )
		{
		write_held(s);

		if ( s?$client_lost )
			end_client_hole(s);

		if ( /\x16\x03/ == take_hello(s)[0:2] )
			note(s, "starttls", "", "");
		}

	close_line(s);
	settle_credit(s);
	set_kept(s, 0);
	drop_held(s);
	}
