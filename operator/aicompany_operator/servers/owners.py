"""Whose a place on a server is: a mark with the company's uid, in the comment the server keeps with the place.

Names alone do not tell: two clusters may share one server, and a new company may have the name of a deleted one.
"""

import re

from aicompany_operator.names import GROUP, CompanyRef
from aicompany_operator.servers.errors import ServerRefused

_MARK = f"{GROUP}/uid="
_MARKED = re.compile(rf"{re.escape(_MARK)}(\S{{1,64}})")
"""Wherever it stands: people may have added words of their own."""


class PlaceTaken(ServerRefused):
    """A place of the company's name is there and bears the mark of another one. Nothing was changed."""

    code = "place_taken"


def mark_of(company: CompanyRef) -> str:
    """What the comment of the company's place says."""
    return f"{_MARK}{company.uid}"


def owner_in(comment: str | None) -> str | None:
    """The uid of the mark; `None` without one, as on places that an earlier version made."""
    found = _MARKED.search(comment or "")
    return found[1] if found else None


def is_anothers(comment: str | None, company: CompanyRef) -> bool:
    """Whether the place bears a mark, and not this company's."""
    return owner_in(comment) not in {None, company.uid}
