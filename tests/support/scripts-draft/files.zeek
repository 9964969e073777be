##! Hands the parts of mails to Zeek's file analysis, so that attachments stand
##! in files.log, with hashes.

@load ./handles

module Pop3Files;

redef Pop3Files::wanted = T;
