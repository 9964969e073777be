##! The lines of multi-line responses, as Zeek's analyzer gives them: trimmed.
##! Between the lines of a mail stand rows that say where a header field has
##! ended, and where the mail has.
##!
##! These handlers cost Zeek time even where they do nothing, and make it hash
##! every mail. So they are off while no connection needs them; the module's name
##! is the handle.

@load ./main

module Pop3Lines;

# Row records are reused: creating one per line would cost half as much as
# writing it.
global line = Pop3Events::Info($ts=double_to_time(0.0), $uid="", $seq=0,
    $kind="data");
global mark = Pop3Events::Info($ts=double_to_time(0.0), $uid="", $seq=0,
    $kind="header");

event pop3_data(c: connection, is_orig: bool, data: string)
	{
	if ( ! c?$pop3_events )
		return;

	local s = c$pop3_events;

	if ( s$exact )
		return;

	line$ts = network_time();
	line$uid = s$uid;
	line$seq = s$seq;
	line$length = |data|;

	if ( data == "" )
		delete line$data;
	else
		line$data = encode_base64(data);

	Log::write(Pop3Events::LOG, line);
	++s$seq;
	}

event mime_one_header(c: connection, h: mime_header_rec)
	{
	if ( ! c?$pop3_events )
		return;

	local s = c$pop3_events;

	if ( s$exact || ! Pop3Events::mark_structure )
		return;

	mark$ts = network_time();
	mark$uid = s$uid;
	mark$seq = s$seq;
	mark$command = h$original_name;
	Log::write(Pop3Events::LOG, mark);
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
