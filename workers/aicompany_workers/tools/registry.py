"""The tools a step may use, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aicompany.ids import TaskId
from aicompany.ports.model import ToolResultBlock, ToolSpec, ToolUseBlock
from aicompany.tasks.events import ToolsUsed
from aicompany_workers.tools.workspace import PathRefused, Workspace


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool did."""

    said: str
    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class WriteFile(BaseModel):
    """Write a text file into the order's workspace; the whole content, replacing what was there."""

    model_config = ConfigDict(extra="forbid")
    path: str = Field(description="Relative path with /.")
    content: str = Field(description="The whole text.")

    def run(self, workspace: Workspace, step: TaskId) -> ToolOutcome:
        """Write."""
        created = workspace.write(step, self.path, self.content)
        said = f"{'created' if created else 'replaced'} {self.path} ({len(self.content.encode())} bytes)"
        return ToolOutcome(said, created=(self.path,)) if created else ToolOutcome(said, changed=(self.path,))


class ReadFile(BaseModel):
    """Read a text file of the order's workspace."""

    model_config = ConfigDict(extra="forbid")
    path: str = Field(description="Relative path with /.")

    def run(self, workspace: Workspace, step: TaskId) -> ToolOutcome:  # noqa: ARG002 - all tools are run alike
        """Read."""
        return ToolOutcome(workspace.read(self.path))


class ListFiles(BaseModel):
    """List the files of the order's workspace."""

    model_config = ConfigDict(extra="forbid")

    def run(self, workspace: Workspace, step: TaskId) -> ToolOutcome:  # noqa: ARG002 - all tools are run alike
        """List."""
        return ToolOutcome("\n".join(workspace.list_files()) or "(no files yet)")


Tool = type[WriteFile] | type[ReadFile] | type[ListFiles]

TOOLS: Mapping[str, Tool] = {"write_file": WriteFile, "read_file": ReadFile, "list_files": ListFiles}
"""A new tool is a class like these and a line here."""


@cache
def tool_specs() -> tuple[ToolSpec, ...]:
    """The tools as the model is told of them."""
    return tuple(tool_spec_of(name, tool) for name, tool in TOOLS.items())


@cache
def tool_spec_of(name: str, arguments: type[BaseModel]) -> ToolSpec:
    """A tool's spec from the model of its arguments, whose docstring describes the tool."""
    schema = arguments.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    return ToolSpec(name=name, description=" ".join((arguments.__doc__ or "").split()), input_schema=schema)


def use_tools(call: int, run: int, uses: tuple[ToolUseBlock, ...], workspace: Workspace, step: TaskId) -> ToolsUsed:
    """Run the tools one after another; what goes wrong is told to the model. Blocks on files: run in a thread."""
    outcomes = [_use(use, workspace, step) for use in uses]
    return ToolsUsed(
        call=call,
        run=run,
        results=tuple(result for result, _ in outcomes),
        files_created=tuple(name for _, outcome in outcomes for name in outcome.created),
        files_changed=tuple(name for _, outcome in outcomes for name in outcome.changed),
    )


def _use(use: ToolUseBlock, workspace: Workspace, step: TaskId) -> tuple[ToolResultBlock, ToolOutcome]:
    tool = TOOLS.get(use.name)
    if tool is None:
        said = f"there is no tool {use.name}; there are {', '.join(TOOLS)}"
        return ToolResultBlock(tool_use_id=use.id, content=said, is_error=True), ToolOutcome(said)
    return _run(tool, use, workspace, step)


def _run(tool: Tool, use: ToolUseBlock, workspace: Workspace, step: TaskId) -> tuple[ToolResultBlock, ToolOutcome]:
    try:
        outcome: ToolOutcome = tool.model_validate(use.input).run(workspace, step)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        said = f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
    except PathRefused as error:
        said = str(error)
    except FileNotFoundError:
        said = f"there is no file {use.input.get('path')}"
    except (OSError, UnicodeDecodeError) as error:
        said = f"the file could not be used: {type(error).__name__}"
    else:
        return ToolResultBlock(tool_use_id=use.id, content=outcome.said), outcome
    return ToolResultBlock(tool_use_id=use.id, content=said, is_error=True), ToolOutcome(said)
