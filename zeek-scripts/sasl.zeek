##! The user's name in a SASL response, for mechanisms whose responses have a known
##! form. A response of any other form gives no name: it may be a secret.

module Pop3Events;

export {
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

	## A name as it may be logged.
	##
	## name: What should be a name.
	##
	## Returns: the name, or nothing if it is not UTF-8 text without control
	##          characters, or too long.
	global clean_name: function(name: string): string;

	## The user's name in the first response of a mechanism; for NTLM in its
	## third message.
	##
	## mechanism: The mechanism in capitals.
	##
	## response: The response in base64.
	##
	## Returns: the name; empty if the response does not have the form of the
	##          mechanism's specification.
	global user_of_response: function(mechanism: string, response: string): string;
}

const max_name = 320;

# ASCII without control characters, and the well-formed sequences of UTF-8 (RFC
# 3629, section 4) without U+0080 to U+009F.
const name_form = /([\x20-\x7e]|\xc2[\xa0-\xbf]|[\xc3-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf][\x80-\xbf]|[\xf1-\xf3][\x80-\xbf][\x80-\xbf][\x80-\xbf]|\xf4[\x80-\x8f][\x80-\xbf][\x80-\xbf])*/;

function clean_name(name: string): string
	{
	return |name| <= max_name && name_form == name ? name : "";
	}

# [MS-NLMP], section 2.2.1.3: the field that is described at an offset of an
# AUTHENTICATE_MESSAGE. UTF-16 becomes UTF-8; nothing outside of its plane 0.
function ntlm_field(message: string, at: count, unicode: bool): string
	{
	local length = bytestring_to_count(message[at : at + 2], T);
	local offset = bytestring_to_count(message[at + 4 : at + 8], T);

	if ( length == 0 || length > 2 * max_name || offset < 52
	    || offset + length > |message| )
		return "";

	local value = message[offset : offset + length];

	if ( ! unicode )
		return value;

	if ( length % 2 != 0 )
		return "";

	local hex = "";
	local i = 0;

	while ( i < length )
		{
		local code = bytestring_to_count(value[i : i + 2], T);

		if ( code < 0x80 )
			hex += fmt("%02x", code);
		else if ( code < 0x800 )
			hex += fmt("%02x%02x", 0xc0 + code / 64, 0x80 + code % 64);
		else if ( code >= 0xd800 && code < 0xe000 )
			return "";
		else
			hex += fmt("%02x%02x%02x", 0xe0 + code / 4096,
			    0x80 + code / 64 % 64, 0x80 + code % 64);

		i += 2;
		}

	return hexstr_to_bytestring(hex);
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

function user_of_message(mechanism: string, message: string): string
	{
	local parts: string_vec;

	if ( mechanism == "LOGIN" || mechanism == "EXTERNAL" )
		return message;

	if ( mechanism == "PLAIN" )
		{
		# RFC 4616. A client that sends name, password, name is wrong.
		parts = split_string(message, /\x00/);
		return |parts| == 3 && parts[1] != "" && parts[2] != ""
		    && parts[0] != parts[2] ? parts[1] : "";
		}

	if ( mechanism == "CRAM-MD5" )
		# RFC 2195.
		return /(.|\n)+ [0-9a-f]{32}/ == message ? message[0 : |message| - 33] : "";

	if ( mechanism == "XOAUTH2" )
		{
		parts = split_string(message, /\x01/);
		return |parts| == 4 && /user=[^\x00]+/ == parts[0]
		    && /auth=Bearer [^\x00]+/ == parts[1] && parts[2] == ""
		    && parts[3] == "" ? parts[0][5:] : "";
		}

	if ( mechanism == "OAUTHBEARER" )
		{
		# RFC 7628, section 3.1.
		if ( /[ny],a=[^,\x00\x01]+,\x01([A-Za-z]+=[^\x00\x01]*\x01)+\x01/ != message )
			return "";

		return attribute(split_string(message, /,/)[1], "a=");
		}

	if ( mechanism[0:6] == "SCRAM-" )
		{
		# RFC 5802, section 7.
		if ( /([ny]|p=[A-Za-z0-9.-]+),(a=[^,\x00]+)?,n=[^,\x00]+,r=[^,\x00]+(,[^\x00]*)?/
		    != message )
			return "";

		return attribute(split_string(message, /,/)[2], "n=");
		}

	return mechanism == "NTLM" ? user_of_ntlm(message) : "";
	}

function user_of_response(mechanism: string, response: string): string
	{
	# decode_base64 complains on stderr about anything else.
	if ( mechanism !in mechanisms || |response| % 4 != 0 || /[A-Za-z0-9+\/]+={0,2}/ != response )
		return "";

	return clean_name(user_of_message(mechanism, decode_base64(response)));
	}
