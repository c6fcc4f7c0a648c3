"""ASC X12: read (`codec`), know (`dictionary`), check (`check`), acknowledge (`acks`) and write (`writer`).

A version suffix such as 004010VICS is governed by the tables of 004010. Sets and versions without tables are
still read, as structure; `check` says so with SET_UNKNOWN or VERSION_UNKNOWN. A partner's guide (`edi.guide`)
narrows a set, and is compiled like the standard's definition of it.
"""

from edi.checker import Standard
from x12 import dictionary

__all__ = ["check", "checker"]

_STANDARD = Standard(("ST", 1), dictionary.base_version, dictionary.definition)
checker = _STANDARD.checker
check = _STANDARD.check
