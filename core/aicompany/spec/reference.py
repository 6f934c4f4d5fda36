"""The configuration's reference page, made from the specification itself."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aicompany.spec.company import AICompany

_HEAD = """# Configuration

One YAML file describes a company. Every field but `apiVersion`, `kind` and `metadata.name` has a default.
`aicompany check FILE` explains every mistake in one. Each field under `spec` can be overridden by an environment
variable: `AICOMPANY_` and the path in capitals with `__` between sections, so `spec.workers.task.max` is
`AICOMPANY_WORKERS__TASK__MAX`.
"""


def reference_page() -> str:
    """The page, Markdown."""
    parts = [_HEAD]
    for path, model, given in _sections(AICompany, ""):
        parts.append(f"## {path or 'The file'}\n\n{_doc(model)}\n\n{_table(model, given)}")
    return "\n".join(parts)


def _sections(
    model: type[BaseModel], path: str, given: BaseModel | None = None
) -> Iterator[tuple[str, type[BaseModel], BaseModel | None]]:
    """Each section with its place and, where the section above gives it values of its own, those."""
    yield path, model, given
    for name, field in model.model_fields.items():
        below = _model_in(field.annotation)
        if below is not None:
            many = "[]" if "tuple" in str(field.annotation) else ""
            default = getattr(given, name) if given is not None else field.get_default(call_default_factory=True)
            own = default if isinstance(default, below) else None
            yield from _sections(below, f"{path}.{field.alias or name}{many}".lstrip("."), own)


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _table(model: type[BaseModel], given: BaseModel | None) -> str:
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{field.alias or name}` | {_type(field)} | {_default(name, field, given)} | {meaning} |")
    return "\n".join(rows) + "\n"


def _type(field: FieldInfo) -> str:
    annotation = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " \\| ".join(f"`{member.value}`" for member in annotation)
    plain = str(getattr(annotation, "__name__", annotation))
    if _model_in(annotation) is not None:
        return "list of sections" if "tuple" in str(annotation) else "section"
    if "tuple" in str(annotation):
        return "list of texts"
    if "dict" in str(annotation):
        return "map"
    if "Literal" in str(annotation):
        return "text"
    names = {"int": "whole number", "float": "number", "str": "text", "bool": "true/false"}
    word = next((names[name] for name in names if name in plain or name in str(annotation)), plain)
    bounds = ", ".join(_bounds(field))
    return f"{word}{f', {bounds}' if bounds else ''}"


def _bounds(field: FieldInfo) -> Iterator[str]:
    for rule in field.metadata:
        match rule:
            case Ge(ge=bound):
                yield f"≥ {bound}"
            case Gt(gt=bound):
                yield f"> {bound}"
            case Le(le=bound):
                yield f"≤ {bound}"
            case Lt(lt=bound):
                yield f"< {bound}"
            case MinLen(min_length=bound) if bound > 1:
                yield f"at least {bound} characters"
            case MaxLen(max_length=bound):
                yield f"at most {bound} characters"
            case _:
                pass


def _default(name: str, field: FieldInfo, given: BaseModel | None) -> str:
    if field.is_required():
        return "required"
    default: Any = field.get_default(call_default_factory=True) if given is None else getattr(given, name)
    if isinstance(default, BaseModel) or _model_in(field.annotation) is not None:
        return ""
    if default is None or default in ((), {}, ""):
        return ""
    value = default.value if isinstance(default, Enum) else default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _model_in(argument)) is not None:
            return found
    return None
