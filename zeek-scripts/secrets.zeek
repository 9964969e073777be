##! What of the client's lines may be logged. Everything that is not allowed here
##! may be a secret and is left out.

@load ./sasl

module Pop3Events;

export {
	## T logs everything that the client sends, passwords included.
	option log_secrets = F;

	## Commands whose arguments are message numbers.
	const numbered: set[string] = {
		"RETR",
		"TOP",
		"LIST",
		"UIDL",
		"DELE"
	} &redef;

	## The words of a line, without the white space around them.
	##
	## line: The line.
	##
	## Returns: the words; one empty word if the line is empty.
	global words_of: function(line: string): string_vec;

	## What of a command's argument may be logged.
	##
	## verb: The command in capitals.
	##
	## words: The words of the line, the command first.
	##
	## Returns: the argument without secrets; empty if nothing is left.
	global public_argument: function(verb: string, words: string_vec): string;
}

function words_of(line: string): string_vec
	{
	return split_string(strip(line), /[ \t\r\n\x0b\x0c]+/);
	}

function public_argument(verb: string, words: string_vec): string
	{
	local n = |words|;

	if ( n < 2 )
		return "";

	if ( verb in numbered )
		{
		if ( n > 3 || /[0-9]{1,10}/ != words[1] )
			return "";

		if ( n == 2 )
			return words[1];

		return verb == "TOP" && /[0-9]{1,10}/ == words[2] ?
		    cat(words[1], " ", words[2]) : "";
		}

	if ( ( verb == "USER" && n == 2 ) || ( verb == "APOP" && n == 3 ) )
		return clean_name(words[1]);

	if ( verb != "AUTH" )
		return "";

	local mechanism = to_upper(words[1]);

	if ( mechanism !in mechanisms )
		return "";

	# The first message of NTLM does not name the user.
	local user = n == 3 && mechanism != "NTLM" ? user_of_response(mechanism,
	    words[2]) : "";
	return user == "" ? mechanism : cat(mechanism, " ", user);
	}
