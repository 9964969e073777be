##! What of the client's lines may be logged. Everything that is not allowed here
##! may be a secret and is left out: arguments other than message numbers and
##! names, and SASL responses that do not have the form of their mechanism.

@load ./types

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

	## The names of SASL mechanisms. A word after AUTH that is not one of them
	## may be anything and is left out.
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
}

const max_name = 320;

# ASCII without control characters, and the well-formed sequences of UTF-8 (RFC
# 3629, section 4) without U+0080 to U+009F.
const name_form = /([\x20-\x7e]|\xc2[\xa0-\xbf]|[\xc3-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf][\x80-\xbf]|[\xf1-\xf3][\x80-\xbf][\x80-\xbf][\x80-\xbf]|\xf4[\x80-\x8f][\x80-\xbf][\x80-\xbf])*/;

# The most UTF-16 units that are decoded one by one.
const max_utf16 = 64;

# UTF-8 of units of UTF-16 that are not ASCII, as they turn up.
global utf8_of_unit: table[string] of string;

# A name, if it is UTF-8 text without control characters, and not too long.
function clean_name(name: string): string
	{
	return |name| <= max_name && name_form == name ? name : "";
	}

# The mailbox that a client wants to open (SASL's authorization identity) and, if
# that is another one, NUL and the name under which it logs in.
function clean_names(mailbox: string, login: string): string
	{
	if ( mailbox == "" || mailbox == login )
		return clean_name(login);

	mailbox = clean_name(mailbox);
	login = clean_name(login);
	return mailbox != "" && login != "" ? cat(mailbox, "\x00", login) : "";
	}

# The words of a line, without the white space around them; one empty word if the
# line is empty.
function words_of(line: string): string_vec
	{
	return split_string(strip(line), /[ \t\r\n\x0b\x0c]+/);
	}

function decode_utf16_unit(unit: string): string
	{
	local code = bytestring_to_count(unit, T);

	if ( code >= 0xd800 && code < 0xe000 )
		# Half of a character: not UTF-8, and so no name.
		return "\xff";

	local hex = code < 0x80 ? fmt("%02x", code) : code < 0x800 ?
	    fmt("%02x%02x", 0xc0 + code / 64, 0x80 + code % 64) :
	    fmt("%02x%02x%02x", 0xe0 + code / 4096, 0x80 + code / 64 % 64, 0x80 + code % 64);
	return hexstr_to_bytestring(hex);
	}

# UTF-8 of little-endian UTF-16; empty if it is too long.
function decode_utf16(text: string): string
	{
	if ( /([\x01-\x7f]\x00)*/ == text )
		return subst_string(text, "\x00", "");

	if ( |text| % 2 != 0 || |text| > 2 * max_utf16 )
		return "";

	local out: vector of string;
	local i = 0;

	while ( i < |text| )
		{
		local unit = text[i : i + 2];

		if ( unit in utf8_of_unit )
			out += utf8_of_unit[unit];
		else
			{
			local utf8 = decode_utf16_unit(unit);

			if ( |utf8_of_unit| < 4096 )
				utf8_of_unit[unit] = utf8;

			out += utf8;
			}

		i += 2;
		}

	return join_string_vec(out, "");
	}

# [MS-NLMP], section 2.2.1.3: the field that is described at an offset of an
# AUTHENTICATE_MESSAGE.
function ntlm_field(message: string, at: count, unicode: bool): string
	{
	local length = bytestring_to_count(message[at : at + 2], T);
	local offset = bytestring_to_count(message[at + 4 : at + 8], T);

	if ( length == 0 || length > 2 * max_name || offset < 52
	    || offset + length > |message| )
		return "";

	local value = message[offset : offset + length];
	return unicode ? decode_utf16(value) : value;
	}

function user_of_ntlm(message: string): string
	{
	if ( |message| < 64 || message[0:12] != "NTLMSSP\x00\x03\x00\x00\x00" )
		return "";

	local unicode = bytestring_to_count(message[60:61], T) % 2 == 1;
	local user = ntlm_field(message, 36, unicode);
	local domain = ntlm_field(message, 28, unicode);

	if ( user == "" || domain == "" )
		return user;

	return cat(domain, "\\", user);
	}

# The value of the last attribute of a gs2-header and what follows it, if that has
# the given name: "n,a=user," (RFC 5801), "n,,n=user,r=..." (RFC 5802).
function attribute(value: string, name: string): string
	{
	if ( |value| < 3 || value[0:2] != name )
		return "";

	# "=2C" and "=3D" stand for a comma and "=".
	local plain = subst_string(subst_string(value[2:], "=2C", ","), "=3D", "\x00");
	return "=" in plain ? "" : subst_string(plain, "\x00", "=");
	}

function user_of_plain(message: string): string
	{
	# RFC 4616. A client that sends name, password, name is wrong.
	local parts = split_string(message, /\x00/);
	return |parts| == 3 && parts[1] != "" && parts[2] != "" && parts[0] != parts[2]
	    ? clean_names(parts[0], parts[1]) : "";
	}

function user_of_xoauth2(message: string): string
	{
	local parts = split_string(message, /\x01/);
	return |parts| == 4 && /user=[^\x00]+/ == parts[0]
	    && /auth=Bearer [^\x00]+/ == parts[1] && parts[2] == "" && parts[3] == ""
	    ? clean_name(parts[0][5:]) : "";
	}

function user_of_oauthbearer(message: string): string
	{
	# RFC 7628, section 3.1: the mailbox; the login's name is in the token.
	if ( /[ny],a=[^,\x00\x01]+,\x01([A-Za-z]+=[^\x00\x01]*\x01)+\x01/ != message )
		return "";

	return clean_name(attribute(split_string(message, /,/)[1], "a="));
	}

function user_of_scram(message: string): string
	{
	# RFC 5802, section 7.
	if ( /([ny]|p=[A-Za-z0-9.-]+),(a=[^,\x00]+)?,n=[^,\x00]+,r=[^,\x00]+(,[^\x00]*)?/
	    != message )
		return "";

	local parts = split_string(message, /,/);
	local mailbox = attribute(parts[1], "a=");
	local login = attribute(parts[2], "n=");
	return login == "" || ( parts[1] != "" && mailbox == "" ) ? "" :
	    clean_names(mailbox, login);
	}

# The user's name in the first response of a mechanism (in capitals), for NTLM in
# its third message: the mailbox, and after a NUL another name under which the
# client logs in. Empty if the response does not have the form of the mechanism's
# specification.
function user_of_response(mechanism: string, response: string): string
	{
	# decode_base64 complains on stderr about anything else.
	if ( mechanism !in mechanisms || |response| % 4 != 0 || /[A-Za-z0-9+\/]+={0,2}/ != response )
		return "";

	local message = decode_base64(response);

	if ( mechanism == "LOGIN" || mechanism == "EXTERNAL" )
		return clean_name(message);

	if ( mechanism == "PLAIN" )
		return user_of_plain(message);

	if ( mechanism == "CRAM-MD5" )
		# RFC 2195.
		return /(.|\n)+ [0-9a-f]{32}/ == message ?
		    clean_name(message[0 : |message| - 33]) : "";

	if ( mechanism == "XOAUTH2" )
		return user_of_xoauth2(message);

	if ( mechanism == "OAUTHBEARER" )
		return user_of_oauthbearer(message);

	if ( mechanism == "NTLM" )
		return clean_name(user_of_ntlm(message));

	return mechanism[0:6] == "SCRAM-" ? user_of_scram(message) : "";
	}

# What of a command's argument may be logged. The first of the words is the command
# in any case, `verb` the same in capitals.
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
