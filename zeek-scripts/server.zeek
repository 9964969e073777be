##! The server's lines in the exact form, where they matter: until the connection has
##! proved to be POP3, during a login, after STLS.

@load ./login

module Pop3Events;

# Status lines, with and without challenges, after the end of the line before.
const status_answer = /\n(\+[oO][kK]|-[eE][rR][rR])[^\n]*/;
const answer = /\n(\+|-[eE][rR][rR])[^\n]*/;
const status_line = /(\+[oO][kK]|-[eE][rR][rR])([^A-Za-z0-9](.|\n)*)?/;

# The start of the line that a text ends with.
function last_line(before: string, text: string): string
	{
	# find_str() is fast where there is none, rfind_str() where it is near.
	if ( find_str(text, "\n") < 0 )
		return |before| >= 80 ? before : before + text[0:80];

	local at = rfind_str(text, "\n");
	return text[at + 1 : at + 81];
	}

# Keeps the server's last line, with the bytes that were held so far.
function follow_server(s: State, held: string)
	{
	if ( s$server_line_at >= s$server_next )
		return;

	local known = |held| - ( s$server_next - s$server_line_at );
	s$server_line = last_line(s$server_line, held[known:]);
	s$server_line_at = s$server_next;
	}

function server_line(s: State, line: string)
	{
	local status = status_line == line;
	local ok = line[0:1] == "+";

	if ( s?$login )
		{
		local l = s$login;

		if ( status && l$owed > 0 )
			--l$owed;
		else if ( status )
			{
			s$logged_in = ok && ! l$overrun;
			delete s$login;
			}
		else if ( ok )
			{
			l$owed = 0;
			++l$challenges;

			# The prompt for a password: then the next line is not the name.
			if ( /\+ *(UGFzc|cGFzc|UEFTU)(.|\n)*/ == line )
				l$doubtful = T;

			if ( l$challenges > max_sasl_exchange )
				l$overrun = T;
			}
		}

	s$stls_accepted = s$stls && status && ok;

	if ( status && ( s$greeted || s$commanded ) )
		{
		s$answered = T;

		if ( s$commanded )
			confirm(s);
		}

	s$greeted = T;
	}

# Looks at bytes of the server, before they are added to those that are held.
function watch_server(s: State, contents: string)
	{
	if ( s$server_line_at < s$server_next )
		follow_server(s, join_string_vec(s$held, ""));

	if ( s$skip_lost && s$logged_in )
		s$skip = s$skip_lost = F;

	if ( find_str(contents, "\n") < 0 )
		{
		s$server_line = last_line(s$server_line, contents);
		s$server_line_at = s$server_next + |contents|;
		return;
		}

	local text = cat("\n", s$server_line, contents);
	s$server_line = last_line(s$server_line, contents);
	s$server_line_at = s$server_next + |contents|;
	text = text[0:rfind_str(text, "\n")];

	if ( s$confirmed && ! s?$login )
		{
		# An agreement to STLS is the last line so far.
		server_line(s, text[rfind_str(text, "\n") + 1:]);
		return;
		}

	# Other lines than these do not matter. Without a login there are no
	# challenges.
	local start = s?$login && ! s$login$overrun ? answer : status_answer;

	if ( ( s$answered && ! s$commanded ) || start !in text )
		{
		s$stls_accepted = F;
		s$greeted = T;
		return;
		}

	for ( i, part in split_string_all(text, start) )
		{
		if ( i % 2 == 0 )
			{
			if ( part != "" )
				{
				s$stls_accepted = F;
				s$greeted = T;
				}

			next;
			}

		server_line(s, part[1:]);

		if ( ! s?$login && ! s$stls && ( s$confirmed || ( s$answered && ! s$commanded ) ) )
			return;
		}
	}

function server_gap(s: State)
	{
	s$server_line = "?";
	s$server_line_at = s$server_next;
	s$stls_accepted = F;

	if ( s?$login )
		s$login$doubtful = T;
	}
