"""One page for the browser that holds what the tables say: figures, charts, and the mails themselves."""
