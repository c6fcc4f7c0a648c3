"""EDIFACT: read (`codec`), know (`directory`), check (`check`), acknowledge (`acks`) and write (`writer`).

A version with an association assigned code, such as D.96A/EAN008, is governed by the tables of D.96A.
Messages and versions without tables are still read, as structure; `check` says so with SET_UNKNOWN or
VERSION_UNKNOWN. A partner's guide (`edi.guide`) narrows a message, and is compiled like the standard's
definition of it.
"""

from edi.checker import Standard
from edi.edifact import directory

__all__ = ["check", "checker"]

_STANDARD = Standard(("UNH", 2), directory.base_version, directory.definition)
checker = _STANDARD.checker
check = _STANDARD.check
