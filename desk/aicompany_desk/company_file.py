"""Reading the files people write: a company's, and an order's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aicompany.errors import OrderInvalid, OrderTooLarge, SpecInvalid, UserError
from aicompany.messaging.lanes import Lane
from aicompany.spec.company import AICompany
from aicompany.spec.explain import Mistake, Place, mistakes_of
from aicompany.spec.overrides import with_overrides
from aicompany.tasks.intake import OrderRequest
from aicompany.tasks.task import Attachment, TaskKind

Model = TypeVar("Model", bound=BaseModel)

_FILE_BYTES_MAX = 8_388_608
_YAML_BYTES_MAX = 33_554_432
"""More than the largest order can have, so that its own limit can say what is too much."""
_DEPTH_MAX = 100


class OrderFile(BaseModel):
    """An order as a file: the prompt and what belongs to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str = Field(min_length=1, description="What is to be done.")
    title: str | None = Field(default=None, max_length=200, description="A short name.")
    kind: TaskKind | None = Field(default=None, description="What sort of work.")
    priority: Lane | None = Field(default=None, description="Lane.")
    files: tuple[str, ...] = Field(default=(), description="Text files, relative to this one.")


@dataclass(frozen=True, slots=True)
class _Page:
    """A YAML file, read."""

    path: Path
    document: dict[str, Any]
    lines: Mapping[Place, int]
    """The line, from 1, of everything in it."""
    doubles: tuple[Mistake, ...]
    """Names that stand twice in one section: YAML would silently take the last."""


def load_company(path: Path, environment: Mapping[str, str]) -> AICompany:
    """The company of a file, with the environment's overrides. Raises `SpecInvalid` with every mistake in it."""
    page = _read_yaml(path, SpecInvalid)
    overridden = with_overrides(page.document, environment)
    return _validated(AICompany, page, overridden.document, overridden.variables, SpecInvalid)


def load_order(path: Path) -> OrderRequest:
    """The order of a file, its attachments read. Raises `OrderInvalid`."""
    page = _read_yaml(path, OrderInvalid)
    order = _validated(OrderFile, page, page.document, {}, OrderInvalid)
    return order_request(
        prompt=order.prompt,
        title=order.title,
        kind=order.kind,
        priority=order.priority,
        attachments=tuple(read_attachment(path.parent / name) for name in order.files),
    )


def order_request(**fields: Any) -> OrderRequest:  # noqa: ANN401 - whatever was typed
    """An order from what a person typed. Raises `OrderInvalid` with every mistake."""
    try:
        return OrderRequest(**fields)
    except ValidationError as error:
        sentences = [mistake.sentence() for mistake in mistakes_of(error, OrderRequest)]
        raise OrderInvalid("; ".join(sentences)) from error


def read_attachment(path: Path) -> Attachment:
    """A text file as an attachment. Raises `OrderInvalid` with the reason why it cannot be one."""
    content = _read_bytes(path, _FILE_BYTES_MAX, "the file ", OrderInvalid)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OrderInvalid(f"the file {path} is not text (byte {error.start}); attach text files only") from error
    if "\x00" in text:
        raise OrderInvalid(f"the file {path} is not text; attach text files only")
    try:
        return Attachment(name=path.name, content=text)
    except ValidationError as error:
        raise OrderInvalid(f"the file {path.name!r} has a name that cannot be handed on; rename it") from error


def _read_bytes(path: Path, bytes_max: int, what: str, refusal: type[UserError]) -> bytes:
    """The whole file; no more is read than may be, as a device or a pipe has no size to look at."""
    try:
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise refusal(f"{what}{path} cannot be read ({reason}); check the path") from error
    if len(content) > bytes_max:
        too_large = OrderTooLarge if refusal is OrderInvalid else refusal
        raise too_large(f"{what}{path} is over {bytes_max:,} bytes; hand in a smaller one")
    return content


def _read_yaml(path: Path, refusal: type[UserError]) -> _Page:
    content = _read_bytes(path, _YAML_BYTES_MAX, "", refusal)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusal(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    try:
        node, document = _parsed(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise refusal(f"{path}{where}: {_yaml_problem(error)}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise refusal(f"{path} (line {line}): a control character stands there; take it out") from error
    except RecursionError as error:
        raise refusal(
            f"{path}: it is nested too deeply to be read; see examples/ for what it should look like"
        ) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # What PyYAML lets through of Python's own when a value is none of its kind (`!!int ""`, `0x_`).
        raise refusal(f"{path}: this is no valid YAML: a value is not of its kind ({error})") from error
    if not isinstance(document, dict):
        raise refusal(f"{path}: the file must hold a mapping (`key: value` lines); see examples/ for one")
    lines, doubles = _places_in(node)
    return _Page(path, document, lines, doubles)


def _parsed(text: str) -> tuple[yaml.Node | None, object]:
    """The tree and what it holds. Raises `yaml.YAMLError`, `ValueError`, and `RecursionError` for one too deep."""
    depth = 0
    # The C parser builds trees by recursion without looking at the stack; its events come one by one.
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH_MAX:
            raise RecursionError
    loader = yaml.CSafeLoader(text)
    try:
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _yaml_problem(error: yaml.MarkedYAMLError) -> str:
    if error.problem == "but found another document":
        return "a second document begins there; one file holds one document"
    return f"this is no valid YAML: {error.problem or error.context}"


def _places_in(root: yaml.Node | None) -> tuple[dict[Place, int], tuple[Mistake, ...]]:
    """The line of everything in a YAML tree, and the doubles. What an alias uses again is told once."""
    lines: dict[Place, int] = {}
    doubles: list[Mistake] = []
    seen: set[int] = set()
    waiting: list[tuple[yaml.Node | None, Place]] = [(root, ())]
    while waiting:
        node, place = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        names: set[Place] = set()
        for below, line, value in _parts_of(node, place):
            if below in names and below[-1] != "<<":
                doubles.append(Mistake(below, f"stands there again on line {line}; keep one of the two"))
            names.add(below)
            lines.setdefault(below, line)
            waiting.append((value, below))
    return lines, tuple(doubles)


def _parts_of(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, int, yaml.Node]]:
    """Place, line from 1, and node of what stands directly in this one."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, str(key.value)), key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (*place, number), value.start_mark.line + 1, value


def _validated(
    model: type[Model],
    page: _Page,
    document: Mapping[str, Any],
    variables: Mapping[Place, str],
    refusal: type[UserError],
) -> Model:
    mistakes = list(page.doubles)
    validated: Model | None = None
    try:
        validated = model.model_validate(document, by_name=False if model is AICompany else None)
    except ValidationError as error:
        mistakes += mistakes_of(error, model)
    if validated is None or mistakes:
        raise refusal(_listed(page, mistakes, variables))
    return validated


def _listed(page: _Page, mistakes: list[Mistake], variables: Mapping[Place, str]) -> str:
    """Every mistake, in the order of the file."""
    in_order = sorted(mistakes, key=lambda mistake: mistake.line(page.lines) or 0)
    sentences = [mistake.sentence(page.lines, variables) for mistake in in_order]
    if len(sentences) == 1:
        return f"{page.path}: {sentences[0]}"
    return "\n".join([f"{page.path}: {len(sentences)} mistakes", *(f"  {sentence}" for sentence in sentences)])
