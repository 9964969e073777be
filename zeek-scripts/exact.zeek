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
@load ./server
@load ./contents

module Pop3Events;

export {
	## T detaches Zeek's POP3 analyzer from a connection of the exact form
	## once the client has logged in: Zeek with this script then costs little
	## more than Zeek alone. Set it to F where other scripts need the events
	## of the analyzer. With ``files.zeek`` the analyzer stays in any case.
	const release_analyzer = T &redef;
}

redef exact_form = T;

# How much is kept of what may be a TLS record.
const max_tls_record = 512;

# A handshake record (RFC 8446, section 5.1), and the types of the records that may
# answer one.
const client_record = /\x16\x03[\x00-\x04]/;
const server_record = /[\x14-\x17]/;

function deliver_contents(ports: table[port] of bool)
	{
	for ( p in exact_ports )
		ports[p] = T;
	}

event zeek_init()
	{
	deliver_contents(tcp_content_delivery_ports_orig);
	deliver_contents(tcp_content_delivery_ports_resp);
	add_likely_server_ports(likely_server_ports, exact_ports);
	}

# Returns the start of what looked like a TLS record, and forgets it.
function take_tls_record(s: State): string
	{
	local start = s$tls_record;
	s$tls_record = "";
	s$tls_cut = F;
	s$tls_lines = 0;
	return start;
	}

# Bytes that may be those of a TLS record.
function keep_tls_record(s: State, contents: string)
	{
	local room = max_tls_record - |s$tls_record|;

	if ( |contents| <= room )
		{
		s$tls_record += contents;
		return;
		}

	s$tls_record += contents[0:room];
	s$tls_cut = T;
	s$tls_lines += count_substr(contents[room:], "\n");
	s$tls_line_ended = ends_with(contents, "\n");
	}

# The server has answered, not in TLS: these were lines of the client.
function read_tls_record(s: State)
	{
	local cut = s$tls_cut;
	local lines = s$tls_lines;
	client_bytes(s, take_tls_record(s));

	if ( ! cut )
		return;

	write_limit_row(s, "tls");
	s$line = "";
	s$skip = ! s$tls_line_ended;
	s$too_long = F;

	if ( lines > 0 )
		add_unknown_lines(s, lines);
	}

# Whether the server's first bytes after STLS say that both speak TLS now.
function turns_to_tls(s: State, contents: string): bool
	{
	if ( s$tls_record != "" )
		return client_record == s$tls_record[0:3] && server_record == contents[0];

	return s$tls_lost && client_record == contents[0:3];
	}

function turn_to_tls(s: State)
	{
	# A client that says STLS, and then TLS, speaks POP3, though the answer is lost.
	if ( s$commanded )
		confirm_pop3(s);

	write_held(s);
	write_control_row(s, "starttls", "", "");
	take_tls_record(s);
	s$tls = T;
	}

# Bytes are missing up to here.
function jump(s: State, is_orig: bool, seq: count)
	{
	local from = is_orig ? s$client_next : s$server_next;

	if ( seq <= from )
		return;

	# Of a stream that has as many holes as pieces not each piece is logged: the
	# hole becomes larger.
	s$budget += 20;
	local affordable = budget_take(s, 200);

	if ( affordable )
		write_held(s);
	else if ( ! s$confirmed )
		drop_unconfirmed(s);
	else
		{
		write_limit_row(s, "gaps");
		write_pending_row(s);
		drop_server_chunks(s);
		lose_server_line(s);
		}

	if ( is_orig )
		{
		s$client_next = seq;
		s$skip_inspection = F;

		if ( client_record == s$tls_record[0:3] )
			{
			s$tls_cut = T;
			s$tls_line_ended = F;
			}
		else
			{
			s$tls_lost = s$stls_accepted;
			take_tls_record(s);
			lose_client_bytes(s);
			}

		if ( ! affordable && ! s?$client_lost )
			s$client_lost = from - 1;
		}
	else
		{
		s$server_next = seq;
		s$budget_at = seq;
		lose_server_bytes(s);
		}

	if ( affordable && ! s$dropped && ! ( is_orig && s?$client_lost ) )
		write_gap_row(s, is_orig, from - 1, seq - from);

	# The server's answer to a record of TLS is missing.
	if ( ! is_orig && client_record == s$tls_record[0:3] )
		turn_to_tls(s);
	}

# What came before the SYN is not in doubt.
event conn_weird(name: string, c: connection, addl: string, source: string) &priority=5
	{
	if ( name == "SYN_seq_jump" && c?$pop3_events && c$pop3_events$confirmed )
		write_held(c$pop3_events);
	}

function new_exact_state(c: connection): State
	{
	local s = new_state(c, T);
	s$confirmed = F;
	s$unconfirmed_rows = vector();
	return s;
	}

event content_gap(c: connection, is_orig: bool, seq: count, length: count)
	{
	if ( ! c?$pop3_events && c$id$resp_p !in exact_ports )
		return;

	local s = c?$pop3_events ? c$pop3_events : new_exact_state(c);

	if ( s$exact && ! s$tls )
		jump(s, is_orig, seq + length);
	}

function is_watched(s: State): bool
	{
	return s?$login || s$stls || s$stls_accepted || s$skip_lost || s$tls_lost
	    || s$tls_record != "";
	}

# The rows of the client begin again behind a hole.
function end_client_hole(s: State)
	{
	local lost = s$client_next - 1 - s$client_lost;

	if ( ! s$dropped && lost > 0 )
		write_gap_row(s, T, s$client_lost, lost);

	delete s$client_lost;
	}

# The same line once more, while nothing is to be looked at.
function repeat_line(s: State, n: count)
	{
	if ( s$pending_row$offset + 1 == s$server_next )
		{
		++s$pending_lines;
		++s$lines_in_flight;
		}
	else
		{
		s$budget += 60 + n / 16;
		count_line(s);
		add_lines(s, s$pending_row?$command ? s$pending_row$command : "", "", 1);
		}
	}

function read_client(s: State, contents: string)
	{
	if ( s$skip && ! s$confirmed && find_str(contents, "\n") < 0 )
		{
		skip_client_bytes(s, contents);
		return;
		}

	if ( s$skip_inspection && contents == s$last_line && s?$pending_row )
		{
		repeat_line(s, |contents|);
		return;
		}

	if ( s?$client_lost && s$logins > max_logins && ! ends_client_hole(s, contents) )
		{
		s$skip_inspection = T;
		return;
		}

	s$skip_inspection = F;

	if ( s?$client_lost )
		{
		s$budget += 20;

		if ( ! budget_take(s, 200) )
			return;

		end_client_hole(s);
		}

	if ( s$tls_record != "" || ( s$stls_accepted && contents[0] == "\x16" && between_lines(s) ) )
		{
		keep_tls_record(s, contents);
		return;
		}

	client_bytes(s, contents);

	if ( ! s$confirmed )
		{
		if ( ! s$dropped )
			count_kept(s);
		}
	else if ( s$logins > max_logins )
		begin_client_hole(s, |contents|);
	else
		s$skip_inspection = ! is_watched(s);
	}

function from_client(s: State, seq: count, contents: string)
	{
	if ( seq != s$client_next )
		jump(s, T, seq);

	read_client(s, contents);
	s$client_next = seq + |contents|;
	}

function from_server(s: State, seq: count, contents: string)
	{
	if ( seq != s$server_next )
		jump(s, F, seq);

	if ( s$tls )
		return;

	if ( s$tls_record != "" || s$tls_lost )
		{
		if ( turns_to_tls(s, contents) )
			{
			turn_to_tls(s);
			return;
			}

		s$tls_lost = F;

		if ( s$tls_record != "" )
			read_tls_record(s);
		}

	local n = |contents|;

	if ( s$dropped && ! s$commanded )
		{
		s$server_line = ends_with(contents, "\n") ? "" : "?";
		s$server_line_at = s$server_next + n;
		}
	else if ( ! s$skip_inspection )
		{
		watch_server(s, contents);
		s$skip_inspection = s$confirmed && ! is_watched(s);
		}

	if ( ! s$dropped )
		{
		if ( s$server_held == 0 )
			{
			s$server_held_since = network_time();
			share_held_bytes(T);

			if ( s$confirmed && ! s$timed )
				start_hold_timer(s);
			}

		s$server_chunks += contents;
		s$server_held += n;
		}

	s$server_next += n;

	if ( ! s$confirmed )
		{
		if ( ! s$dropped )
			count_kept(s);
		}
	else if ( s$server_held >= contents_limit || |s$server_chunks| >= chunks_limit )
		write_held(s);
	}

event tcp_contents(c: connection, is_orig: bool, seq: count, contents: string)
	{
	if ( ! c?$pop3_events && c$id$resp_p !in exact_ports )
		return;

	local s = c?$pop3_events ? c$pop3_events : new_exact_state(c);

	# Most packets are the server's, in the middle of a mail.
	if ( ! is_orig && s$skip_inspection && s$server_held > 0 && seq == s$server_next )
		{
		s$server_next += |contents|;
		s$server_held += |contents|;
		s$server_chunks += contents;

		if ( s$server_held >= contents_limit || |s$server_chunks| >= chunks_limit )
			write_held(s);
		}
	else if ( ! s$exact || s$tls )
		return;
	else if ( is_orig )
		from_client(s, seq, contents);
	else
		from_server(s, seq, contents);
	}

# A connection whose bytes Zeek did not deliver to any script has a row, too. After an
# unusual handshake Zeek may take the server for the client.
event connection_state_remove(c: connection)
	{
	if ( ! c?$pop3_events && ( c$id$resp_p in exact_ports || c$id$orig_p in exact_ports )
	    && /[dD]/ in c$history )
		new_exact_state(c);
	}

# Whether a connection that never proved to be POP3 may have carried mail: not if
# the server has greeted a client that said nothing, and no packet is missing.
function may_hide_mail(c: connection, s: State): bool
	{
	return ! ( s$client_next == 1 && "D" !in c$history && c$history[0:2] == "Sh"
	    && s$server_next <= max_client_line );
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

		if ( client_record == s$tls_record[0:3] )
			write_control_row(s, "starttls", "", "");
		}
	else if ( may_hide_mail(c, s) )
		{
		s$confirmed = T;
		write_unexpected_row(s, "not_understood", "");
		}

	release_kept(s);
	drop_server_chunks(s);
	}

# Once the client has logged in, nothing of Zeek's analyzer is needed; conn.log still
# names the service.
function release(c: connection)
	{
	if ( ! release_analyzer || Pop3Files::wanted || ! c?$pop3_events )
		return;

	local s = c$pop3_events;

	if ( ! s$exact || ! ( s$logged_in || s$dropped || s$limited ) )
		return;

	if ( s$logged_in )
		add c$service["POP3"];

	disable_analyzer(c$id, current_analyzer(), F, T);
	}

event pop3_request(c: connection, is_orig: bool, command: string, arg: string)
    &priority=-5
	{
	release(c);
	}

event pop3_reply(c: connection, is_orig: bool, cmd: string, msg: string)
    &priority=-5
	{
	release(c);
	}
