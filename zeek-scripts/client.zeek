##! The client's lines in the exact form: a row for each of them, in order; many
##! that ask for messages at once share one.

@load ./contents
@load ./login

module Pop3Events;

export {
	## How much of a client's line is kept until it ends. Of a longer line no
	## more than the command is used.
	option max_client_line = 512;

	## The same for lines of a SASL exchange (RFC 4954, section 4).
	option max_sasl_line = 12288;

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
}

# Lines as CRLF ends them, each with a LF in front, without CR or NUL in them.
const clear_crlf_lines = /(\n[^\r\n\x00]*\r+)+/;
const clear_lf_lines = /(\n[^\r\n\x00]*)+/;

# A line in which a command may begin behind `max_whole_line`.
const long_line = /\n[^\n]{255}[^\n]*[ \t]/;

# Lines with the commands in `plain_verbs`, as CRLF ends them and as LF does.
const plain_crlf_lines = /(\n(RETR [0-9]{1,10}|DELE [0-9]{1,10}|TOP [0-9]{1,10} [0-9]{1,10}|(LIST|UIDL)( [0-9]{1,10})?|NOOP|STAT|RSET|LAST|CAPA|QUIT)\r)+/;
const plain_lf_lines = /(\n(RETR [0-9]{1,10}|DELE [0-9]{1,10}|TOP [0-9]{1,10} [0-9]{1,10}|(LIST|UIDL)( [0-9]{1,10})?|NOOP|STAT|RSET|LAST|CAPA|QUIT))+/;

# A line that starts with a command, after the end of the line before it.
global command_line: pattern = /never/;

event zeek_init()
	{
	local names = "";

	for ( verb in verbs )
		names += names == "" ? verb : cat("|", verb);

	command_line = string_to_pattern(cat("\\n[ \\t\\r\\x0b\\x0c]*(?i:", names,
	    ")([ \\t\\r\\x0b\\x0c][^\\n]*)?"), F);
	}

# Lines of which no more than their number is known.
function add_unknown_lines(s: State, n: count)
	{
	skip_lines(s, n);
	add_lines(s, "", "", n);
	}

# The server may see other lines here than this script does.
function add_unclear_lines(s: State, n: count, ended: bool)
	{
	s$line_unclear = ! ended;
	s$stls_accepted = F;

	if ( s?$login )
		s$login$doubtful = T;

	skip_lines(s, n);
	add_lines(s, "?", "", n);
	}

# Whether a line is one for every server: some take a CR or a bare LF for the end of
# a line, others do not, some stop at a NUL, and some make several of a long one.
function is_clear_line(s: State, line: string): bool
	{
	if ( |line| > max_whole_line && /[ \t]/ in line[max_whole_line:] )
		return F;

	if ( /[^\r\x00]*\r+/ == line )
		{
		s$crlf = T;
		return ! s$line_unclear;
		}

	return ! s$crlf && /[^\r\x00]*/ == line;
	}

function client_line(s: State, line: string, cut: bool)
	{
	if ( ! is_clear_line(s, line) )
		{
		add_unclear_lines(s, 1, ends_with(line, "\r"));
		return;
		}

	local owed = count_line(s);
	local response = s?$login ? sasl_response(s, line) : SASL_NONE;

	if ( response == SASL_RESPONSE )
		{
		if ( cut )
			write_limit_row(s, "line");

		add_lines(s, "", cut || s$login$overrun ? "" : user_of_line(s, line), 1);
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
			confirm_pop3(s);
		}

	if ( response == SASL_UNCLEAR )
		{
		add_lines(s, verb, "", 1);
		return;
		}

	begin_command(s, verb, words, owed);
	local data = "";

	if ( cut )
		write_limit_row(s, "line");
	else if ( log_secrets )
		data = strip(strip(line)[|words[0]|:]);
	else if ( |words| > 1 && s$logins <= max_logins )
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

	add_unknown_lines(s, n);
	}

# There are more lines than the traffic accounts for.
function pass_lines(s: State, n: count)
	{
	write_limit_row(s, "lines");
	forget_login(s);
	add_unknown_lines(s, n);
	}

# Many lines that are plain commands.
function add_plain_lines(s: State, lines: string, n: count)
	{
	if ( pipelines_too_much(s, |lines|) )
		{
		pass_lines(s, n);
		return;
		}

	skip_lines(s, n);
	s$stls_accepted = F;
	add_shared_line(s, subst_string(lines[1:], "\r", ""));
	}

# Whether a text is plain commands, each with a LF in front, for every server.
function is_plain(s: State, lines: string): bool
	{
	return ! s$line_unclear
	    && ( plain_crlf_lines == lines || ( ! s$crlf && plain_lf_lines == lines ) );
	}

# Many lines at once: lines with a command are read, the others are counted.
function many_lines(s: State, lines: string)
	{
	local left = count_substr(lines, "\n");

	if ( s$line_unclear || ( |lines| > max_whole_line && long_line in lines )
	    || ! ( clear_crlf_lines == lines || ( ! s$crlf && clear_lf_lines == lines ) ) )
		{
		add_unclear_lines(s, left, ends_with(lines, "\r"));
		return;
		}

	s$crlf = ends_with(lines, "\r");

	if ( command_line !in lines || ( is_sasl(s) && s$login$overrun ) )
		{
		unknown_lines(s, lines);
		return;
		}

	if ( left > 8 && ! is_sasl(s) )
		{
		local end = find_str(lines, "\n", 1);

		if ( starts_with(lines[end:], lines[0:end])
		    && subst_string(lines, lines[0:end], "") == "" )
			{
			# All are equal.
			client_line(s, lines[1:end], F);

			if ( s?$pending_row && ! s$pending_row?$data )
				{
				skip_lines(s, left - 2);
				s$pending_lines += left - 2;
				client_line(s, lines[1:end], F);
				return;
				}

			lines = lines[end:];
			--left;
			}

		if ( s$confirmed && is_plain(s, lines) )
			{
			add_plain_lines(s, lines, left);
			return;
			}
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

		if ( ! budget_take(s, 30) )
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
function bound_client_line(s: State)
	{
	local n = |s$line|;

	if ( n <= max_client_line )
		s$long = F;
	else if ( n > max_sasl_line || ! ( s$long || is_sasl(s)
	    || /[ \t]*[aA][uU][tT][hH][ \t](.|\n)*/ == s$line[0:64] ) )
		cut_client_line(s);
	else
		s$long = T;

	count_kept(s);
	}

# Whether neither side is in the middle of a line, as far as is known: "?" stands for
# lost bytes of the server.
function between_lines(s: State): bool
	{
	return s$line == "" && ! s$skip && ( s$server_line == "" || s$server_line == "?" );
	}

# The line that was dropped ends here.
function end_skipped_line(s: State, ended: bool)
	{
	s$skip = s$skip_lost = F;

	if ( s$too_long && s$skip_unclear )
		add_unclear_lines(s, 1, ended);
	else if ( s$too_long )
		client_line(s, ended ? s$line + "\r" : s$line, T);
	else
		add_unknown_lines(s, 1);

	s$too_long = F;
	s$line = "";
	}

# Lines behind too many lines: until the server says more, they are only counted.
function pass_bytes(s: State, contents: string)
	{
	local n = count_substr(contents, "\n");
	s$last_line = s$line = "";
	s$skip = ! ends_with(contents, "\n");
	s$too_long = s$long = F;

	if ( n > 0 )
		add_unknown_lines(s, n);
	}

# Bytes of the client.
function client_bytes(s: State, contents: string)
	{
	if ( passes_lines(s) )
		{
		pass_bytes(s, contents);
		return;
		}

	local n = |contents|;
	s$budget += 60 + n / 16;
	local end = find_str(contents, "\n");

	# Most often a segment is a line.
	if ( end == n - 1 && n < 64 && s$line == "" && ! s$skip )
		{
		local unclear = s$line_unclear;
		client_line(s, contents[0:end], F);
		s$last_line = s?$pending_row && ! s$pending_row?$data && ! s?$login && ! s$stls
		    && ! unclear && ! s$line_unclear ? contents : "";
		return;
		}

	s$last_line = "";

	if ( end < 0 )
		{
		if ( s$skip )
			{
			skip_client_bytes(s, contents);
			return;
			}

		s$line += contents;

		if ( |s$line| > max_client_line )
			bound_client_line(s);

		return;
		}

	if ( s$skip )
		{
		skip_client_bytes(s, contents[0:end]);
		end_skipped_line(s, s$skip_cr);
		contents = contents[end + 1:];
		}

	if ( s$line != "" )
		contents = s$line + contents;

	local last = rfind_str(contents, "\n");

	if ( last < 0 )
		s$line = contents;
	else
		{
		s$line = contents[last + 1:];
		local lines = contents[0:last];
		local plural = log_secrets ? 0 : count_substr(lines, "\n");

		if ( plural >= 8 )
			many_lines(s, cat("\n", lines));
		else if ( plural >= 3 && s$confirmed && ! is_sasl(s)
		    && is_plain(s, cat("\n", lines)) )
			{
			s$crlf = ends_with(lines, "\r");
			add_plain_lines(s, cat("\n", lines), plural + 1);
			}
		else
			{
			for ( i, line in split_string(lines, /\n/) )
				client_line(s, line, F);
			}
		}

	if ( s$long || |s$line| > max_client_line )
		bound_client_line(s);
	}

# Bytes of the client are missing.
function lose_client_bytes(s: State)
	{
	s$line = "";
	s$too_long = s$line_unclear = F;
	s$skip = s$skip_lost = T;

	if ( s$long )
		bound_client_line(s);

	if ( s?$login )
		s$login$doubtful = T;

	s$stls = F;
	}

# There were too many logins: what the client sends next is not logged.
function begin_client_hole(s: State, n: count)
	{
	s$client_lost = s$client_next - 1 + n - |s$line|;
	s$skip = s$skip || s$line != "";
	s$skip_inspection = T;
	s$too_long = s$long = s$line_unclear = s$skip_lost = F;
	s$last_line = s$line = "";
	forget_login(s);
	}

# Whether plain commands end that hole.
function ends_client_hole(s: State, contents: string): bool
	{
	local begins_line = ! s$skip;
	s$skip = ! ends_with(contents, "\n");
	return begins_line && ! s$skip && is_plain(s, cat("\n", contents[0 : |contents| - 1]));
	}
