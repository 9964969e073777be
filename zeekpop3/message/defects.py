"""How the parser collects the defects of a mail; `session.defects` documents the names.

A dictionary serves as an ordered set: a mail with half a million broken lines costs no more than one with a
single broken line.
"""

Defects = dict[str, None]
