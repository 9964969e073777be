##! The plain form: what Zeek's POP3 analyzer says, on any port. Load
##! ``exact.zeek`` instead for exact bytes.

@load ./main
@load ./plain
