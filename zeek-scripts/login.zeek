##! What the exact form knows of a login: which lines of the client are SASL
##! responses (RFC 5034), and when the server has decided about it.

@load ./main
@load ./secrets

module Pop3Events;

# How many lines a mechanism's client sends, if more than one.
const sasl_lines: table[string] of count = {
	["LOGIN"] = 2,
	["NTLM"] = 2,
	["DIGEST-MD5"] = 2,
	["SCRAM-SHA-1"] = 2,
	["SCRAM-SHA-1-PLUS"] = 2,
	["SCRAM-SHA-256"] = 2,
	["SCRAM-SHA-256-PLUS"] = 2,
	["SCRAM-SHA-512"] = 2,
	["SCRAM-SHA-512-PLUS"] = 2,
};

const max_sasl_exchange = 100;
const max_owed = 200;

# A server closes the connection long before so many logins, or STLS. Of what comes
# then only plain commands are logged.
const max_logins = 100;

function count_line(s: State): count
	{
	if ( s$lines_at == s$server_next )
		++s$lines_in_flight;
	else
		{
		s$lines_at = s$server_next;
		s$lines_in_flight = 1;
		}

	s$stls = F;
	# The greeting is still to come if the server has sent nothing.
	return s$server_next > 1 ? s$lines_in_flight - 1 : s$lines_in_flight;
	}

function skip_lines(s: State, n: count)
	{
	count_line(s);
	s$lines_in_flight += n - 1;

	if ( s?$login )
		{
		s$login$lines += n;
		s$login$overrun = s$login$overrun || s$login$lines > max_sasl_exchange;
		}
	}

function is_sasl(s: State): bool
	{
	return s?$login && s$login$mechanism != "";
	}

function sasl_response(s: State, line: string): SaslLine
	{
	local l = s$login;
	++l$lines;

	if ( l$mechanism == "" )
		return SASL_NONE;

	if ( l$lines > max_sasl_exchange )
		l$overrun = T;

	local shaped = /[A-Za-z0-9+\/]*={0,2}\r*|\*\r*/ == line;
	local asked = l$challenges > l$responses;

	if ( asked || ( shaped && l$expected > l$responses ) )
		++l$responses;

	if ( shaped && ( asked || ( l$responses > 0 && l$expected >= l$responses ) ) )
		return SASL_RESPONSE;

	return asked ? SASL_UNCLEAR : SASL_NONE;
	}

function user_of_line(s: State, line: string): string
	{
	local l = s$login;
	line = rstrip(line, "\r");

	if ( log_secrets )
		return line;

	return l$lines == ( l$mechanism == "NTLM" ? 2 : 1 ) && ! l$doubtful ?
	    user_of_response(l$mechanism, line) : "";
	}

function begin_login(s: State, verb: string, words: string_vec, owed: count)
	{
	local l = Login($owed=owed);

	if ( owed > max_owed )
		{
		l$owed = max_owed;
		l$doubtful = T;
		}

	if ( verb == "AUTH" )
		{
		l$mechanism = to_upper(words[1]);
		l$expected = l$mechanism in sasl_lines ? sasl_lines[l$mechanism] : 1;

		# "=" is an empty response (RFC 5034, section 4), which only some
		# mechanisms have.
		if ( |words| > 2 && ( words[2] != "=" || l$mechanism == "LOGIN"
		    || l$mechanism == "EXTERNAL" ) )
			{
			l$lines = 1;
			--l$expected;
			}
		}

	s$login = l;
	s$logged_in = F;
	}

function forget_login(s: State)
	{
	delete s$login;
	s$logged_in = F;
	s$stls = s$stls_accepted = F;
	}

# The client has sent a known command.
function begin_command(s: State, verb: string, words: string_vec, owed: count)
	{
	s$stls = verb == "STLS";
	s$stls_accepted = F;
	local login = verb == "PASS" || verb == "APOP" || ( verb == "AUTH" && |words| > 1 );

	if ( verb == "USER" )
		s$logged_in = F;
	else if ( ( login || s$stls ) && ++s$logins > max_logins )
		{
		write_limit_row(s, "logins");
		forget_login(s);
		}
	else if ( login )
		begin_login(s, verb, words, owed);
	}
