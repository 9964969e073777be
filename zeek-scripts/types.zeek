##! The log's columns, and all that is remembered of a connection. The other files
##! are functions on these.

@load base/frameworks/logging

module Pop3Events;

export {
	redef enum Log::ID += { LOG };

	## The server ports on which bytes are logged, with ``exact.zeek``.
	const exact_ports: set[port] = { 110/tcp } &redef;

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
		## sent at ``sent`` and ``unexpected``; of the first missing byte at
		## ``gap``.
		offset: count &log &optional;
		## Bytes in ``data`` before encoding. For ``gap``: missing bytes.
		## For ``sent`` without data: the number of equal lines, if more
		## than one.
		length: count &log &optional;
		## The bytes in base64. Unset if the row has no bytes.
		data: string &log &optional;
	};
}

# The bytes of rows that a connection may cause before its traffic accounts for them.
const initial_budget = +1500;

# T with ``exact.zeek``.
const exact_form = F &redef;

# A login that the server has not decided about.
type Login: record {
	# The mechanism in capitals; empty for PASS and APOP.
	mechanism: string &default="";
	# How many responses the mechanism has at least.
	expected: count &default=0;
	# How many status lines come before the one that decides.
	owed: count;
	# How many lines the client has sent for it, an initial response included.
	lines: count &default=0;
	# The server's challenges so far.
	challenges: count &default=0;
	# The client's responses so far.
	responses: count &default=0;
	# T if the first response may not be the user's name.
	doubtful: bool &default=F;
	# T if there were too many lines for a login: none of them is looked at any
	# more.
	overrun: bool &default=F;
};

# What a line of the client may be while an AUTH is under way.
type SaslLine: enum {
	# Not a response.
	SASL_NONE,
	# A response.
	SASL_RESPONSE,
	# The answer to a challenge, but not in base64.
	SASL_UNCLEAR,
};

# The state of a connection. "Next" and "at" are Zeek's sequence numbers, which
# count from 1.
type State: record {
	# -- Of both forms.

	# The connection's unique ID.
	uid: string;
	# The connection's endpoints, for control rows; and as Zeek has them.
	id: Endpoints;
	zeek_id: conn_id;
	# The number of the next row.
	seq: count &default=0;
	# T if the connection has the exact form.
	exact: bool;
	# T once a row has said that a limit was reached.
	limited: bool &default=F;
	# The limit that was reached before rows may be written.
	early_limit: string &default="";
	# How many rows have said that bytes exist in two versions.
	ambiguous: count &default=0;
	# The bytes of rows that the traffic so far allows for.
	budget: int &default=initial_budget;

	# -- The exact form: until the connection has proved to be POP3.

	# T if rows may be written; until then they are kept.
	confirmed: bool &default=T;
	# Rows that are kept until then.
	unconfirmed_rows: vector of Info &optional;
	# T if bytes were dropped because there were too many until then.
	dropped: bool &default=F;
	# T once the client has sent a known command.
	commanded: bool &default=F;
	# T once the server has sent a line.
	greeted: bool &default=F;
	# T once the server has sent a status line after its first line, or after a
	# command.
	answered: bool &default=F;
	# The bytes that are kept for a peer that has yet to say more; 0 if they are
	# not counted.
	kept: count &default=0;
	# The places in the queues of connections with such bytes.
	kept_place: count &default=0;
	kept_place_of_client: count &default=0;

	# -- The server's bytes.

	# The server's next byte.
	server_next: count &default=1;
	# The server's bytes that are held.
	server_chunks: vector of string &default=vector();
	# How many bytes these are.
	server_held: count &default=0;
	# When the first of them came.
	server_held_since: time &optional;
	# The bytes and chunks that have been added to the budget.
	budget_at: count &default=1;
	budget_chunks: count &default=0;
	# The server's line so far; of a long line, its start.
	server_line: string &default="";
	# Up to where that line is known.
	server_line_at: count &default=1;

	# -- The client's lines.

	# The client's next byte.
	client_next: count &default=1;
	# The client's line so far.
	line: string &default="";
	# T if that line is long, but may be that of a SASL exchange.
	long: bool &default=F;
	# T if the rest of the line is to be dropped.
	skip: bool &default=F;
	# T if that is because it is too long.
	too_long: bool &default=F;
	# T if a loss is the reason.
	skip_lost: bool &default=F;
	# T if the last byte that was dropped is a CR.
	skip_cr: bool &default=F;
	# T if a CR, a NUL or a blank stands in what was dropped of the line.
	skip_unclear: bool &default=F;
	# T once a line has ended with CRLF.
	crlf: bool &default=F;
	# T until the next CRLF: what stands before it may be one line or several.
	line_unclear: bool &default=F;
	# The bytes of commands that were sent at once, and the place in the server's
	# stream.
	pipelined: count &default=0;
	pipelined_at: count &default=0;
	# Where bytes of the client are missing for which there is no row yet.
	client_lost: count &optional;
	# The last segment, if it was a line without data that begins neither a login
	# nor TLS.
	last_line: string &default="";
	# T if the next bytes of neither side need a look.
	skip_inspection: bool &default=F;
	# The row for the last lines; not written yet.
	pending_row: Info &optional;
	# How many lines it stands for.
	pending_lines: count &default=0;
	# The commands in it, if they share it.
	pending_commands: vector of string &default=vector();
	# T if a timer runs for what is held.
	timed: bool &default=F;
	# The place in the server's stream where the client's last line was sent.
	lines_at: count &default=0;
	# How many lines it has sent there.
	lines_in_flight: count &default=0;

	# -- The login and TLS.

	# The login under way.
	login: Login &optional;
	# T if the server has accepted the last login.
	logged_in: bool &default=F;
	# How many logins there were.
	logins: count &default=0;
	# T if the client's last line was STLS.
	stls: bool &default=F;
	# T if the server has agreed to it.
	stls_accepted: bool &default=F;
	# What may be the client's first TLS record: its start.
	tls_record: string &default="";
	# T if there is more of it, which is not kept.
	tls_cut: bool &default=F;
	# How many lines end there, and whether the last byte ends one.
	tls_lines: count &default=0;
	tls_line_ended: bool &default=F;
	# T if the client's bytes after STLS are missing.
	tls_lost: bool &default=F;
	# T once the connection has turned to TLS.
	tls: bool &default=F;
};

# What the plain form remembers of a connection beyond that.
type Plain: record {
	# The connection's state.
	s: State;
	# Lines that are not written yet.
	lines: vector of string &default=vector();
	# The bytes that they take in memory.
	memory: count &default=0;
	# When the first of them came.
	since: time &optional;
	# The name of the last USER, until the server has answered it.
	named: string &optional;
	# The name under which the client tries to log in; empty if unknown.
	user: string &default="";
	# T if that name came in the initial response of PLAIN.
	initial: bool &default=F;
	# T if the next reply decides a login.
	asked: bool &default=F;
	# T if the server has accepted a login.
	done: bool &default=F;
	# T if bytes of the client are missing.
	client_lost: bool &default=F;
	# T until the first request behind such a loss.
	cut: bool &default=F;
	# T if bytes of the server are missing before a login.
	server_lost: bool &default=F;
	# The time of the last packet with a control row.
	seen: time &optional;
	# T once the connection has been given up: it floods the log.
	flooding: bool &default=F;
};

redef record connection += {
	# The state of a POP3 connection.
	pop3_events: State &optional;
	# What the plain form remembers of it.
	pop3_plain: Plain &optional;
};
