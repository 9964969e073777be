##! A budget for rows: a connection may cause about as many bytes of log as its
##! traffic has, and all connections together some more.

@load ./main

module Pop3Events;

export {
	## How many bytes of rows the clients of all connections may cause beyond
	## what their traffic accounts for: a client may send many commands at
	## once, but cannot flood the log. When it is used up, lines share rows
	## without a command, and a row says so.
	option max_rows_ahead = 262144;

	## Traffic allows for rows of so many bytes.
	##
	## s: The connection's state.
	##
	## n: The bytes.
	global earn: function(s: State, n: count);

	## Rows or work worth so many bytes of rows are to be done.
	##
	## s: The connection's state.
	##
	## n: The bytes.
	##
	## Returns: F if the traffic does not account for them.
	global spend: function(s: State, n: count): bool;

	## The work of reading many lines one by one may be done.
	##
	## s: The connection's state.
	##
	## Returns: F if the traffic does not account for it.
	global may_read: function(s: State): bool;

	## The connection is over: the others may have what it has left.
	##
	## s: The connection's state.
	global settle_credit: function(s: State);
}

redef record State += {
	## The bytes of rows that the traffic so far allows for.
	credit: int &default=1500;
};

global shared_credit: int = 0;

event zeek_init()
	{
	shared_credit = max_rows_ahead;
	}

# Lets the other connections have what is over.
function share_credit(s: State, kept: int)
	{
	shared_credit += s$credit - kept;
	s$credit = kept;

	if ( shared_credit > 8 * max_rows_ahead )
		shared_credit = 8 * max_rows_ahead;
	}

function earn(s: State, n: count)
	{
	s$credit += n;

	if ( s$credit > 20000 )
		share_credit(s, 10000);
	}

function spend(s: State, n: count): bool
	{
	if ( s$credit < n )
		{
		if ( shared_credit < n )
			return F;

		shared_credit -= n;
		s$credit += n;
		}

	s$credit -= n;
	return T;
	}

function may_read(s: State): bool
	{
	return s$credit + shared_credit > 1000;
	}

function settle_credit(s: State)
	{
	share_credit(s, 0);
	}
