-- An indicator of a list was found in the mail.
-- weight 100
select uid || '/' || trans_depth as mail, 'hit' as reason, indicator as detail from hits where trans_depth is not null
