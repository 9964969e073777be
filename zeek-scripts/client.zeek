##! The client's lines in the exact form: a row for each of them, in order; equal
##! lines without data that follow each other share one.

@load ./main
@load ./login
@load ./sent

module Pop3Events;

export {
	## How much of a client's line is kept until it ends. Of a longer line no
	## more than the command is used.
	option max_client_line = 512;

	## The same for lines of a SASL exchange (RFC 4954, section 4).
	option max_sasl_line = 12288;

	## How many connections may have such a long line at a time.
	option max_long_lines = 1000;

	## Commands that are logged by name.
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

	## Takes bytes of the client.
	##
	## s: The connection's state.
	##
	## contents: The bytes.
	global client_bytes: function(s: State, contents: string);

	## Bytes of the client are missing.
	##
	## s: The connection's state.
	global client_gap: function(s: State);
}

# A line that starts with a command, after the end of the line before it.
global command_line: pattern = /never/;

redef record State += {
	## The client's line so far.
	line: string &default="";
	## T if the rest of that line is dropped because it is too long.
	too_long: bool &default=F;
	## The last line, if it has no data and begins neither a login nor TLS.
	again: string &default="";
	## T if the line is counted as a long one.
	long: bool &default=F;
};

global long_lines = 0;

event zeek_init()
	{
	local names = "";

	for ( verb in verbs )
		names += names == "" ? verb : cat("|", verb);

	command_line = string_to_pattern(cat("\\n[ \\t\\r\\x0b\\x0c]*(?i:", names,
	    ")([ \\t\\r\\x0b\\x0c][^\\n]*)?"), F);
	}

function client_line(s: State, line: string, cut: bool)
	{
	local owed = count_line(s);
	local response = s?$login ? sasl_response(s, line) : SASL_NONE;

	if ( response == SASL_RESPONSE )
		{
		add_lines(s, "", cut ? "" : user_of_line(s, line), 1);
		return;
		}

	local words = words_of(line);
	local verb = to_upper(words[0]);

	if ( verb !in verbs )
		{
		add_lines(s, "", log_secrets ? line : "", 1);
		return;
		}

	if ( ! s$commanded )
		{
		s$commanded = T;

		if ( s$answered )
			confirm(s);
		}

	if ( response == SASL_UNCLEAR )
		{
		add_lines(s, verb, "", 1);
		return;
		}

	begin_command(s, verb, words, owed);
	local data = "";

	if ( log_secrets )
		data = strip(strip(line)[|words[0]|:]);
	else if ( |words| > 1 && ! cut )
		data = public_argument(verb, words);

	add_lines(s, verb, data, 1);
	}

# Lines that are not known commands, each with a LF in front.
function unknown_lines(s: State, lines: string)
	{
	local n = count_substr(lines, "\n");

	if ( n == 0 )
		return;

	if ( is_sasl(s) && ! s$login$overrun )
		{
		local each = split_string_n(lines, /\n/, F, 50);

		for ( i in each )
			if ( i > 0 && i < 50 )
				client_line(s, each[i], F);

		if ( n < 50 )
			return;

		n -= 49;
		}

	skip_lines(s, n);
	add_lines(s, "", "", n);
	}

# Lines of which no more than their number is known.
function pass_lines(s: State, n: count)
	{
	note_limit(s, "lines");
	forget_login(s);
	skip_lines(s, n);
	add_lines(s, "", "", n);
	}

# Many lines at once: lines with a command are read, the others are counted.
function many_lines(s: State, lines: string)
	{
	if ( command_line !in lines || ( is_sasl(s) && s$login$overrun ) )
		{
		unknown_lines(s, lines);
		return;
		}

	local left = count_substr(lines, "\n");

	if ( left > 8 && ! is_sasl(s) )
		{
		local end = find_str(lines, "\n", 1);

		if ( starts_with(lines[end:], lines[0:end])
		    && subst_string(lines, lines[0:end], "") == "" )
			{
			# All are equal.
			client_line(s, lines[1:end], F);

			if ( s?$run && ! s$run?$data )
				{
				skip_lines(s, left - 2);
				s$run_lines += left - 2;
				client_line(s, lines[1:end], F);
				return;
				}

			lines = lines[end:];
			--left;
			}
		}

	if ( ! may_read(s) )
		{
		pass_lines(s, left);
		return;
		}

	local parts = split_string_all(lines, command_line);

	for ( i in parts )
		{
		local part = parts[i];

		if ( i % 2 == 0 )
			{
			unknown_lines(s, part);
			left -= count_substr(part, "\n");
			next;
			}

		if ( ! spend(s, 30) )
			{
			pass_lines(s, left);
			return;
			}

		--left;

		if ( i + 1 < |parts| && parts[i + 1] != "" && parts[i + 1][0] != "\n" )
			unknown_lines(s, "\n");
		else
			client_line(s, part[1:], F);
		}
	}

# Bounds what is kept of a line that does not end.
function bound_line(s: State)
	{
	local n = |s$line|;
	local is_long = n > max_client_line;

	if ( is_long && ( n > max_sasl_line || ( ! s$long && long_lines >= max_long_lines )
	    || ! ( is_sasl(s) || /[ \t]*[aA][uU][tT][hH][ \t](.|\n)*/ == s$line ) ) )
		{
		s$line = s$line[0:64];
		s$skip = s$too_long = T;
		is_long = F;
		}

	if ( is_long != s$long )
		{
		s$long = is_long;

		if ( is_long )
			++long_lines;
		else
			--long_lines;
		}
	}

function between_lines(s: State): bool
	{
	return s$line == "" && ! s$skip && s$server_line == "";
	}

function client_bytes(s: State, contents: string)
	{
	local n = |contents|;
	s$credit += 60 + n / 16;
	local end = find_str(contents, "\n");

	# Most often a segment is a line.
	if ( end == n - 1 && n < 64 && s$line == "" && ! s$skip )
		{
		client_line(s, contents[0:end], F);
		s$again = s?$run && ! s$run?$data && ! s?$login && ! s$stls ? contents : "";
		return;
		}

	s$again = "";

	if ( end < 0 )
		{
		if ( s$skip )
			return;

		s$line += contents;

		if ( |s$line| > max_client_line )
			bound_line(s);

		return;
		}

	if ( s$skip )
		{
		contents = contents[end + 1:];
		s$skip = s$skip_lost = F;

		if ( s$too_long )
			client_line(s, s$line, T);
		else
			{
			count_line(s);
			add_lines(s, "", "", 1);
			}

		s$too_long = F;
		s$line = "";
		}

	if ( s$line != "" )
		contents = s$line + contents;

	local last = rfind_str(contents, "\n");

	if ( last < 0 )
		s$line = contents;
	else
		{
		s$line = contents[last + 1:];

		if ( last < 400 || log_secrets )
			{
			local lines = split_string(contents, /\n/);

			for ( i in lines )
				if ( i < |lines| - 1 )
					client_line(s, lines[i], F);
			}
		else
			many_lines(s, cat("\n", contents[0:last]));
		}

	if ( s$long || |s$line| > max_client_line )
		bound_line(s);
	}

# The connection is over.
function close_line(s: State)
	{
	if ( s$long )
		--long_lines;
	}

function client_gap(s: State)
	{
	s$line = "";
	s$too_long = F;
	s$skip = s$skip_lost = T;
	bound_line(s);

	if ( s?$login )
		s$login$doubtful = T;

	s$stls = F;
	}
