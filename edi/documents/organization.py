"""Which companies, divisions and stores there are, and which belongs to which."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from edi.documents.parts import (
    Address,
    Contact,
    Dated,
    Extra,
    HasParties,
    Industry,
    Nested,
    Party,
    Quantity,
    Reference,
)


class Site(HasParties, frozen=True):
    """A company, a division, a store: what it is (`role`), and whether it is new, changed or closed."""

    role: str
    name: str | None = None
    ids: dict[str, str] = {}
    more_names: tuple[str, ...] = ()
    address: Address | None = None
    contacts: tuple[Contact, ...] = ()
    references: tuple[Reference, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    dates: tuple[Dated, ...] = ()
    industries: tuple[Industry, ...] = ()
    action: str | None = None
    maintenance: str | None = None
    reason: str | None = None
    extra: Extra = ()


class OrganizationLevel(Nested, frozen=True):
    """Sites of one level (`kind` "company", "operating_unit") and the levels below it."""

    kind: str
    sites: tuple[Site, ...] = ()
    levels: tuple[OrganizationLevel, ...] = ()
    extra: Extra = ()


class Organization(HasParties, frozen=True, tag_field="schema", tag="tradelane.organization/1"):
    """A customer's divisions, stores and distribution centers, with their ids and addresses."""

    number: str | None = None
    structure: str | None = None
    purpose: str | None = None
    issued_on: dt.date | None = None
    issued_time: dt.time | None = None
    type: str | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    levels: tuple[OrganizationLevel, ...] = ()
    partner: str | None = None
    extra: Extra = ()

    @property
    def sites(self) -> Iterator[Site]:
        """All sites, of every level, in the order they are written."""
        for top in self.levels:
            for level in top.walk():
                yield from level.sites
