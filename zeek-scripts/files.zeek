##! Hands the parts of mails to Zeek's file analysis, so that attachments stand
##! in files.log, with hashes. Zeek's POP3 analyzer would do so itself if it only
##! had a name for each.

@load base/frameworks/files
@load base/protocols/pop3

module Pop3Files;

export {
	## Names the file that a connection is transferring: one for each MIME
	## entity.
	##
	## c: The connection.
	##
	## is_orig: Whether the client sends it.
	##
	## Returns: the handle.
	global get_file_handle: function(c: connection, is_orig: bool): string;
}

redef record connection += {
	## How many MIME entities a POP3 connection has brought.
	pop3_entities: count &optional;
};

function get_file_handle(c: connection, is_orig: bool): string
	{
	return c?$pop3_entities ? cat(Analyzer::ANALYZER_POP3, c$uid, c$start_time,
	    c$pop3_entities) : "";
	}

event zeek_init() &priority=5
	{
	Files::register_protocol(Analyzer::ANALYZER_POP3, Files::ProtoRegistration(
	    $get_file_handle=Pop3Files::get_file_handle));
	}

event pop3_reply(c: connection, is_orig: bool, cmd: string, msg: string)
	{
	if ( ! c?$pop3_entities )
		c$pop3_entities = 0;
	}

event mime_begin_entity(c: connection)
	{
	if ( c?$pop3_entities )
		++c$pop3_entities;
	}
