##! The lines of responses in the plain form, as Zeek's analyzer gives them: trimmed,
##! and many in one row. In the lines of a mail, a line that is NUL and a name says
##! that the header field of this name ended with the line before it; no line of
##! Zeek's contains a NUL or a LF.

@load ./budget
@load ./main

module Pop3Events;

export {
	## T marks the ends of header fields and of mails.
	option mark_structure = T;

	## How many bytes the lines of a connection may take in memory before they
	## are written; each line counts 100 bytes more than it is long.
	option plain_bytes = 131072;

	## The same for all connections together.
	option max_gathered_bytes = 16777216;

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
		## T if that name came in the initial response of PLAIN.
		initial: bool &default=F;
		## T if the next reply decides a login.
		asked: bool &default=F;
		## T if the server has accepted a login.
		done: bool &default=F;
		## T if bytes of the client are missing.
		client_lost: bool &default=F;
		## T until the first request behind such a loss.
		cut: bool &default=F;
		## T if bytes of the server are missing before a login.
		server_lost: bool &default=F;
		## The time of the last packet with a control row.
		seen: time &optional;
		## T once the connection has been given up: it floods the log.
		flooding: bool &default=F;
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

global holding = 0;

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

	earn(p$s, |data| / 4);
	emit(p$s, row);
	p$lines = vector();
	p$memory = 0;
	--holding;
	share_limit();
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
