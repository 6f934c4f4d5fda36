"""Mistakes in a company's file, as sentences: where, what, and what would be right."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake."""

    place: Place
    problem: str

    def sentence(self, lines: Mapping[Place, int] | None = None) -> str:
        """`path (line N): problem`; the line is that of the place or of the nearest thing around it."""
        path = path_of(self.place)
        line = _line_of(self.place, lines or {})
        return f"{path}{f' (line {line})' if line else ''}: {self.problem}"


def path_of(place: Place) -> str:
    """As people write paths: `spec.agents[1].name`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the file"


def mistakes_of(error: ValidationError, model: type[BaseModel]) -> list[Mistake]:
    """All mistakes that a validation found."""
    return [
        Mistake(tuple(found["loc"]), _problem(found, model))
        for found in error.errors(include_url=False)  # type: ignore[call-overload,unused-ignore]
    ]


def _problem(found: Mapping[str, Any], model: type[BaseModel]) -> str:
    context = found.get("ctx", {})
    given = found.get("input")
    match found["type"]:
        case "extra_forbidden":
            return _unknown_field(tuple(found["loc"]), model)
        case "missing":
            return "is missing"
        case "value_error":
            return str(context.get("error", found["msg"]))
        case "literal_error" | "enum":
            return f"{_shown(given)} is none of {context.get('expected')}"
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than":
            return f"{_shown(given)} is out of range; {_sentence(found['msg'])}"
        case "string_pattern_mismatch":
            return f"{_shown(given)} does not fit the pattern {context.get('pattern')}"
        case _:
            return f"{_sentence(found['msg'])}, not {_shown(given)}"


def _unknown_field(place: Place, model: type[BaseModel]) -> str:
    known = _names_at(place[:-1], model)
    near = difflib.get_close_matches(_camel(str(place[-1])), known, n=1, cutoff=0.6)
    if near:
        return f"unknown field; did you mean `{near[0]}`?"
    return f"unknown field; known here: {', '.join(sorted(known)) or 'none'}"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _names_at(place: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    """The names a file may use in the section at this place."""
    for part in place:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if part in {n, f.alias}), None)
        section = next(_sections_in(field.annotation), None) if field else None
        if section is None:
            return []
        model = section
    return [field.alias or name for name, field in model.model_fields.items()]


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _sections_in(argument)


def _sentence(message: str) -> str:
    return message[0].lower() + message[1:].replace("Input should", "it should")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _line_of(place: Place, lines: Mapping[Place, int]) -> int | None:
    for length in range(len(place), 0, -1):
        if place[:length] in lines:
            return lines[place[:length]]
    return None
