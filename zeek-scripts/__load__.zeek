##! The plain form: what Zeek's POP3 analyzer says, an event a row, on any port.
##! Load ``exact.zeek`` instead for exact bytes.

@load ./main
@load ./plain
