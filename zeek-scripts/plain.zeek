##! The lines of multi-line responses, as Zeek's analyzer gives them: trimmed.
##! Between the lines of a mail stand rows that say where a header field has
##! ended, and where the mail has.
##!
##! These handlers cost Zeek time even where they do nothing, and make it hash
##! every mail. So they are off while no connection needs them; the module's name
##! is the handle.

@load ./main

module Pop3Lines;

event pop3_data(c: connection, is_orig: bool, data: string)
	{
	if ( ! c?$pop3_events )
		return;

	local s = c$pop3_events;

	if ( s$exact )
		return;

	if ( data == "" )
		Log::write(Pop3Events::LOG, Pop3Events::Info($ts=network_time(), $uid=s$uid,
		    $seq=s$seq, $kind="data", $length=0));
	else
		Log::write(Pop3Events::LOG, Pop3Events::Info($ts=network_time(), $uid=s$uid,
		    $seq=s$seq, $kind="data", $length=|data|,
		    $data=encode_base64(data)));

	++s$seq;
	}

event mime_one_header(c: connection, h: mime_header_rec)
	{
	if ( ! c?$pop3_events )
		return;

	local s = c$pop3_events;

	if ( s$exact || ! Pop3Events::mark_structure )
		return;

	Log::write(Pop3Events::LOG, Pop3Events::Info($ts=network_time(), $uid=s$uid,
	    $seq=s$seq, $kind="header", $command=h$original_name));
	++s$seq;
	}

# Raised when a mail has ended, and not before: a multipart's outermost entity
# ends at the closing delimiter, with lines still to come.
event mime_content_hash(c: connection, content_len: count, hash_value: string)
	{
	if ( ! c?$pop3_events )
		return;

	local s = c$pop3_events;

	if ( ! s$exact && Pop3Events::mark_structure )
		Pop3Events::note(s, "end", "", "");
	}
