"""What an EDI message is, in any syntax. Imports nothing of ours and performs no I/O of its own.

`tree` has the values a reader yields and `problems` what can be wrong with them; `schema` is how a message is
defined. `checker` compiles a definition: `structure` finds the place of each segment, `elements` judges what
one segment holds. `report` and `pretty` tell a file as JSON and to the eye. `documents` are the business
objects with no syntax left in them.
"""
