##! The server's lines in the exact form, where they matter: until the connection has
##! proved to be POP3, during a login, after STLS.

@load ./contents
@load ./login

module Pop3Events;

# Status lines, with and without challenges, after the end of the line before.
const status_answer = /\n(\+[oO][kK]|-[eE][rR][rR])[^\n]*/;
const answer = /\n(\+|-[eE][rR][rR])[^\n]*/;
const status_line = /(\+[oO][kK]|-[eE][rR][rR])([^A-Za-z0-9](.|\n)*)?/;

# The texts of a challenge that ask for a name: nothing, "Username", "User Name" or
# "Login". What answers another one may be a password.
const name_prompt = /[ \t]*([uU][sS][eE][rR] ?[nN][aA][mM][eE]|[lL][oO][gG][iI][nN])[ \t]*:?[ \t]*\x00?/;

function asks_for_name(challenge: string): bool
	{
	local text = strip(challenge[1:]);

	if ( text == "" )
		return T;

	return |text| <= 40 && |text| % 4 == 0 && /[A-Za-z0-9+\/]+={0,2}/ == text
	    && name_prompt == decode_base64(text);
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

			# These responses have no form: what was asked for decides.
			if ( ( l$mechanism == "LOGIN" || l$mechanism == "EXTERNAL" )
			    && l$lines == 0 && ! asks_for_name(line) )
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
			confirm_pop3(s);
		}

	s$greeted = T;
	}

# Looks at bytes of the server, before they are added to those that are held.
function watch_server(s: State, contents: string)
	{
	if ( s$server_line_at < s$server_next )
		follow_server_line(s, join_string_vec(s$server_chunks, ""));

	if ( s$skip_lost && s$logged_in )
		s$skip = s$skip_lost = F;

	local n = |contents|;
	local end = find_str(contents, "\n");

	if ( end < 0 )
		{
		s$server_line = last_line_of(s$server_line, contents);
		s$server_line_at = s$server_next + n;
		return;
		}

	# During a login most segments are a line.
	if ( end == n - 1 && s$server_line == "" )
		{
		s$server_line_at = s$server_next + n;
		server_line(s, contents[0:end]);
		return;
		}

	local text = cat("\n", s$server_line, contents);
	s$server_line = last_line_of(s$server_line, contents);
	s$server_line_at = s$server_next + n;
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

function lose_server_bytes(s: State)
	{
	lose_server_line(s);
	# An agreement to STLS may be among them.
	s$stls_accepted = s$stls;

	if ( s?$login )
		s$login$doubtful = T;
	}
