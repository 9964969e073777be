"""The plain form: events of Zeek's POP3 analyzer, with trimmed lines."""
