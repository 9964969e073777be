##! What is left out of the log: passwords, digests, tokens, in whatever form
##! the client sends them.
##!
##! Zeek's login events give the user's name, but not always the right one: what
##! they take for it may be the password. Then it is left out.

module Pop3Events;

export {
	## Whether secrets are logged: the arguments of PASS, APOP and AUTH.
	option log_secrets = F;

	## What is known of a client's login.
	type Login: record {
		## The mechanism of the AUTH under way, in capitals; empty if none.
		mechanism: string &default="";
		## Whether the name is known from the command, whatever Zeek takes
		## for it.
		named: bool &default=F;
		## That name; empty if there is none.
		user: string &default="";
		## Whether bytes were lost before the login: what Zeek then takes
		## for a name may be a part of a password.
		doubtful: bool &default=F;
		## Whether the next reply decides a login.
		asked: bool &default=F;
		## Whether the client has logged in.
		done: bool &default=F;
	};

	## The names of SASL mechanisms. What stands after AUTH and is none of
	## them may be anything, and is left out.
	const mechanisms: set[string] = {
		"ANONYMOUS",
		"CRAM-MD5",
		"DIGEST-MD5",
		"EXTERNAL",
		"GSSAPI",
		"GSS-SPNEGO",
		"GS2-KRB5",
		"KERBEROS_V4",
		"LOGIN",
		"MSN",
		"NMAS-SAMBA-AUTH",
		"NMAS_AUTHEN",
		"NMAS_LOGIN",
		"NTLM",
		"OAUTHBEARER",
		"OPENID20",
		"OTP",
		"PLAIN",
		"SAML20",
		"SCRAM-SHA-1",
		"SCRAM-SHA-1-PLUS",
		"SCRAM-SHA-256",
		"SCRAM-SHA-256-PLUS",
		"SCRAM-SHA-512",
		"SCRAM-SHA-512-PLUS",
		"SECURID",
		"SKEY",
		"SRP",
		"WEAUTH",
		"XOAUTH",
		"XOAUTH2",
	} &redef;

	## Notes a command, as far as it bears on the user's name.
	##
	## l: The login's state.
	##
	## command: The command.
	##
	## arg: Its argument.
	global watch_login: function(l: Login, command: string, arg: string);

	## Notes a reply.
	##
	## l: The login's state.
	##
	## status: OK or ERR.
	global watch_reply: function(l: Login, status: string);

	## Notes a loss.
	##
	## l: The login's state.
	##
	## is_orig: Whether the client's bytes are missing.
	global watch_gap: function(l: Login, is_orig: bool);

	## What of a command's argument may be logged.
	##
	## l: The login's state.
	##
	## command: The command.
	##
	## arg: Its argument.
	##
	## Returns: the argument without its secret part, empty if nothing is left.
	global argument_without_secret: function(l: Login, command: string,
	    arg: string): string;

	## What of an unexpected event's detail may be logged: Zeek quotes an AUTH
	## that it does not know, token and all.
	##
	## msg: The event's message.
	##
	## detail: The event's detail.
	##
	## Returns: the detail without its secret part.
	global detail_without_secret: function(msg: string, detail: string): string;

	## The user's name of a login event, if it is one.
	##
	## l: The login's state.
	##
	## user: What Zeek takes for the name.
	##
	## password: What Zeek takes for the password; never logged.
	##
	## Returns: the name, empty if it is in doubt.
	global user_of_login: function(l: Login, user: string, password: string)
	    : string;
}

# Commands that Zeek only reports after a login.
const after_login: set[string] = {
	"STAT",
	"LIST",
	"RETR",
	"DELE",
	"NOOP",
	"RSET",
	"LAST",
	"TOP",
	"UIDL"
};

# The user's name in an initial response: RFC 4616 for PLAIN; for LOGIN it is
# all of it.
function user_of_response(mechanism: string, response: string): string
	{
	# decode_base64 complains on stderr about anything else.
	if ( |response| % 4 != 0 || /[A-Za-z0-9+\/]+={0,2}/ != response )
		return "";

	local parts = split_string(decode_base64(response), /\x00/);

	if ( mechanism == "PLAIN" && |parts| == 3 )
		return parts[1];

	if ( mechanism == "LOGIN" && |parts| == 1 )
		return parts[0];

	return "";
	}

function watch_login(l: Login, command: string, arg: string)
	{
	l$asked = command == "PASS" || command == "APOP" || ( command == "AUTH" && arg != "" );

	if ( command == "USER" || command == "APOP" || command == "AUTH" )
		{
		local words = split_string(arg, / +/);
		l$mechanism = command == "AUTH" ? to_upper(words[0]) : "";
		l$user = "";
		# An initial response says who logs in: what Zeek takes for the name
		# then is the line that follows, the password. An APOP with one
		# word lacks the name or the digest.
		l$named = command == "AUTH" ? |words| > 1 : command == "APOP" && |words| == 1;

		if ( command == "AUTH" && l$named && words[1] != "=" )
			l$user = user_of_response(l$mechanism, words[1]);
		}
	else if ( command in after_login )
		l$done = T;
	}

function watch_reply(l: Login, status: string)
	{
	if ( l$asked && status == "OK" )
		l$done = T;

	l$asked = F;
	}

function watch_gap(l: Login, is_orig: bool)
	{
	# A loss splices lines, so that a password may end up in another command's
	# argument; a lost answer to AUTH shifts what Zeek takes for the name.
	if ( ! l$done && ( is_orig || l$mechanism != "" ) )
		l$doubtful = T;
	}

function argument_without_secret(l: Login, command: string, arg: string): string
	{
	if ( log_secrets || arg == "" )
		return arg;

	if ( command == "PASS" || ( l$doubtful && ! l$done ) )
		return "";

	if ( command == "APOP" )
		{
		local words = split_string(arg, / +/);
		return |words| > 1 ? words[0] : "";
		}

	if ( command == "AUTH" )
		{
		if ( l$mechanism !in mechanisms )
			return "";

		return l$user == "" ? l$mechanism : cat(l$mechanism, " ", l$user);
		}

	return arg;
	}

function detail_without_secret(msg: string, detail: string): string
	{
	if ( log_secrets || msg != "AUTH" )
		return detail;

	local known = "unknown AUTH method ";
	local n = |known|;

	if ( |detail| < n || detail[0:n] != known )
		return detail;

	local mechanism = to_upper(split_string(detail[n:], / +/)[0]);
	return mechanism in mechanisms ? cat(known, mechanism) : "unknown AUTH method";
	}

function user_of_login(l: Login, user: string, password: string): string
	{
	if ( log_secrets )
		return user;

	if ( l$doubtful )
		return "";

	if ( l$named )
		return l$user;

	# AUTH LOGIN with an empty name: Zeek skips the empty line.
	if ( l$mechanism == "LOGIN" && password == "" )
		return "";

	return user;
	}
