##! Names the files in a POP3 session, one for each MIME entity, which Zeek's own
##! scripts leave undone. Zeek 6 and later then warn, and take each packet for a
##! file; so there, the names are given in any case. They cost nothing beyond.

@load base/frameworks/files
@load base/protocols/pop3
@load base/misc/version

module Pop3Files;

export {
	## Whether the parts of mails are wanted in files.log; ``files.zeek`` says
	## so.
	const wanted = F &redef;

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

# Any other script that names them comes later, and wins.
event zeek_init() &priority=10
	{
	if ( ! wanted && Version::number < 60000 )
		return;

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
