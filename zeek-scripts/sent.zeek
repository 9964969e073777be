##! The rows for the client's lines. Equal lines without data that follow each other
##! share one.

@load ./budget
@load ./login

module Pop3Events;

export {
	## Writes the row for the last lines of the client.
	##
	## s: The connection's state.
	global write_run: function(s: State);

	## Adds lines of the client, of which this may be logged.
	##
	## s: The connection's state.
	##
	## verb: The command; empty if it is not a known one.
	##
	## data: What of the argument may be logged.
	##
	## lines: How many such lines.
	global add_lines: function(s: State, verb: string, data: string, lines: count);

	## Starts the timer for what is held.
	##
	## s: The connection's state.
	global hold: function(s: State);
}

redef record State += {
	## The row for the last lines; not written yet.
	run: Info &optional;
	## How many lines it stands for.
	run_lines: count &default=0;
	## T if a timer runs for what is held.
	timed: bool &default=F;
};

function write_run(s: State)
	{
	if ( ! s?$run )
		return;

	if ( s$run_lines > 1 )
		s$run$length = s$run_lines;

	emit(s, s$run);
	delete s$run;
	}

function add_lines(s: State, verb: string, data: string, lines: count)
	{
	local offset = s$server_next - 1;

	if ( s?$run )
		{
		local run = s$run;

		if ( data == "" && run$offset == offset && ! run?$data
		    && ( run?$command ? run$command : "" ) == verb )
			{
			s$run_lines += lines;
			return;
			}
		}

	if ( ! spend(s, 90 + |data|) )
		{
		note_limit(s, "lines");

		if ( verb != "" || data != "" )
			{
			add_lines(s, "", "", lines);
			return;
			}
		}

	write_run(s);
	local row = Info($ts=network_time(), $uid=s$uid, $id=s$id, $seq=0,
	    $kind="sent", $offset=offset);

	if ( verb != "" )
		row$command = verb;

	if ( data != "" )
		{
		row$length = |data|;
		row$data = encode_base64(data);
		}

	# Of a connection whose rows are dropped, the last one is kept: the server may
	# be about to answer it.
	s$run = row;
	s$run_lines = lines;

	if ( s$confirmed && ! s$timed )
		hold(s);
	}
