"""Reading the files people write: a company's, and an order's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aicompany.errors import OrderInvalid, SpecInvalid, UserError
from aicompany.messaging.lanes import Lane
from aicompany.spec.company import AICompany
from aicompany.spec.explain import Mistake, Place, mistakes_of
from aicompany.spec.overrides import with_overrides
from aicompany.tasks.intake import OrderRequest
from aicompany.tasks.task import Attachment, TaskKind

Model = TypeVar("Model", bound=BaseModel)

_FILE_BYTES_MAX = 8_388_608


class OrderFile(BaseModel):
    """An order as a file: the prompt and what belongs to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str = Field(min_length=1, description="What is to be done.")
    title: str | None = Field(default=None, max_length=200, description="A short name.")
    kind: TaskKind | None = Field(default=None, description="What sort of work.")
    priority: Lane | None = Field(default=None, description="Lane.")
    files: tuple[str, ...] = Field(default=(), description="Text files, relative to this one.")


def load_company(path: Path, environment: Mapping[str, str]) -> AICompany:
    """The company of a file, with the environment's overrides. Raises `SpecInvalid` with every mistake in it."""
    document, lines = _read_yaml(path, SpecInvalid)
    return _validated(AICompany, with_overrides(document, environment), lines, path, SpecInvalid)


def load_order(path: Path) -> OrderRequest:
    """The order of a file, its attachments read. Raises `OrderInvalid`."""
    document, lines = _read_yaml(path, OrderInvalid)
    order = _validated(OrderFile, document, lines, path, OrderInvalid)
    return OrderRequest(
        prompt=order.prompt,
        title=order.title,
        kind=order.kind,
        priority=order.priority,
        attachments=tuple(read_attachment(path.parent / name) for name in order.files),
    )


def read_attachment(path: Path) -> Attachment:
    """A text file as an attachment. Raises `OrderInvalid` with the reason why it cannot be one."""
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise OrderInvalid(f"the file {path} is over {_FILE_BYTES_MAX:,} bytes; attach a smaller one")
        content = path.read_bytes()
    except OSError as error:
        raise OrderInvalid(f"the file {path} cannot be read ({error.strerror}); check the path") from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OrderInvalid(f"the file {path} is not text (byte {error.start}); attach text files only") from error
    if "\x00" in text:
        raise OrderInvalid(f"the file {path} is not text; attach text files only")
    return Attachment(name=path.name, content=text)


def _read_yaml(path: Path, refusal: type[UserError]) -> tuple[dict[str, Any], dict[Place, int]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise refusal(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise refusal(f"{path} cannot be read ({error.strerror}); check the path") from error
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise refusal(f"{path}{where}: this is no valid YAML: {error.problem or error.context}") from error
    except RecursionError as error:
        raise refusal(
            f"{path}: it is nested too deeply to be read; see examples/ for what it should look like"
        ) from error
    except yaml.YAMLError as error:
        raise refusal(f"{path}: this is no valid YAML: {error}") from error
    if node is None or not isinstance(document, dict):
        raise refusal(f"{path}: the file must hold a mapping (`key: value` lines); see examples/ for one")
    return document, dict(_lines(node, ()))


def _lines(node: yaml.Node | None, place: Place) -> list[tuple[Place, int]]:
    """The line, from 1, of everything in a YAML tree."""
    found: list[tuple[Place, int]] = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*place, str(key.value))
            found += [(below, key.start_mark.line + 1), *_lines(value, below)]
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            below = (*place, number)
            found += [(below, value.start_mark.line + 1), *_lines(value, below)]
    return found


def _validated(
    model: type[Model], document: dict[str, Any], lines: dict[Place, int], path: Path, refusal: type[UserError]
) -> Model:
    try:
        return model.model_validate(document, by_name=False) if model is AICompany else model.model_validate(document)
    except ValidationError as error:
        mistakes = mistakes_of(error, model)
        raise refusal(_listed(path, mistakes, lines)) from error


def _listed(path: Path, mistakes: list[Mistake], lines: dict[Place, int]) -> str:
    sentences = [mistake.sentence(lines) for mistake in mistakes]
    if len(sentences) == 1:
        return f"{path}: {sentences[0]}"
    return "\n".join([f"{path}: {len(sentences)} mistakes", *(f"  {sentence}" for sentence in sentences)])
