"""The command line: options in, lines and exit codes out. Only this package prints."""
