"""The exact form: responses are cut out of the server's byte stream by offset."""
