"""POP3 traffic that we make ourselves: packets, dialogues, and what is true about them.

`pcap` writes and reads captures, `tcp` turns what two ends say into packets, `damage` does to packets what
taps and networks do, `pop3` is a mailbox behind a server that answers, `truth` says which mails a capture
holds, `zeek` is a stand-in for Zeek's POP3 analyzer and `rows` for the event log that comes of it.
"""
