##! What the exact form knows of a login: which lines of the client are SASL
##! responses (RFC 5034), and when the server has decided about it.

@load ./main
@load ./secrets

module Pop3Events;

export {
	## What a line of the client may be while an AUTH is under way.
	type SaslLine: enum {
		## Not a response.
		SASL_NONE,
		## A response.
		SASL_RESPONSE,
		## The answer to a challenge, but not in base64.
		SASL_UNCLEAR,
	};

	## A login that the server has not decided about.
	type Login: record {
		## The mechanism in capitals; empty for PASS and APOP.
		mechanism: string &default="";
		## How many responses the mechanism has at least.
		expected: count &default=0;
		## How many status lines come before the one that decides.
		owed: count;
		## How many lines the client has sent for it, an initial response
		## included.
		lines: count &default=0;
		## The server's challenges so far.
		challenges: count &default=0;
		## The client's responses so far.
		responses: count &default=0;
		## T if the first response may not be the user's name.
		doubtful: bool &default=F;
		## T if there were too many lines for a login: none of them is
		## looked at any more.
		overrun: bool &default=F;
	};

	## How many lines a mechanism's client sends, if more than one.
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

	## A connection has proved to be POP3.
	##
	## s: The connection's state.
	global confirm: function(s: State);
}

redef record State += {
	## Zeek's sequence number of the server's next byte, counted from 1.
	server_next: count &default=1;
	## The server's line so far; of a long line, its start.
	server_line: string &default="";
	## The sequence number up to which that line is known.
	server_line_at: count &default=1;
	## T once the client has sent a known command.
	commanded: bool &default=F;
	## T once the server has sent a line.
	greeted: bool &default=F;
	## T once the server has sent a status line after its first line, or after
	## a command.
	answered: bool &default=F;
	## The place in the server's stream where the client's last line was sent.
	burst_at: count &default=0;
	## How many lines it has sent there.
	burst: count &default=0;
	## The login under way.
	login: Login &optional;
	## T if the server has accepted the last login.
	logged_in: bool &default=F;
	## T if the client's last line was STLS.
	stls: bool &default=F;
	## T if the server has agreed to it.
	stls_accepted: bool &default=F;
	## T if the rest of the client's line is to be dropped.
	skip: bool &default=F;
	## T if a loss is the reason.
	skip_lost: bool &default=F;
	## The server's bytes that are held.
	held: vector of string &default=vector();
	## What may be the client's first TLS record.
	hello: string &default="";
	## T if bytes were dropped because there were too many before the
	## connection proved to be POP3.
	dropped: bool &default=F;
};

const max_sasl_exchange = 100;
const max_owed = 200;

function count_line(s: State): count
	{
	if ( s$burst_at == s$server_next )
		++s$burst;
	else
		{
		s$burst_at = s$server_next;
		s$burst = 1;
		}

	s$stls = F;
	# The greeting is still to come if the server has sent nothing.
	return s$server_next > 1 ? s$burst - 1 : s$burst;
	}

function skip_lines(s: State, n: count)
	{
	count_line(s);
	s$burst += n - 1;

	if ( s?$login )
		{
		s$login$lines += n;
		s$login$overrun = s$login$lines > max_sasl_exchange;
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

# The client has sent a known command.
function begin_command(s: State, verb: string, words: string_vec, owed: count)
	{
	s$stls = verb == "STLS";
	s$stls_accepted = F;

	if ( verb == "USER" )
		s$logged_in = F;
	else if ( verb == "PASS" || verb == "APOP" || ( verb == "AUTH" && |words| > 1 ) )
		begin_login(s, verb, words, owed);
	}

function forget_login(s: State)
	{
	delete s$login;
	s$logged_in = F;
	s$stls = s$stls_accepted = F;
	}
