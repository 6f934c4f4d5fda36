"""What was seen, and what could not be seen."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """A signal that could not be read. It is never zero, and nothing may conclude from it that less is needed."""

    why: str
