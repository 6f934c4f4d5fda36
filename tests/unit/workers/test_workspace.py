"""A step's files: confined to their order's workspace, and taken back exactly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aicompany.ids import TaskId
from aicompany.ports.model import ToolUseBlock
from aicompany_workers.tools.registry import TOOLS, tool_specs, use_tools
from aicompany_workers.tools.workspace import PathRefused, Workspace

ORDER = TaskId("order")
names = st.sampled_from(["a.txt", "b.txt", "dir/c.txt", "dir/deep/d.txt"])
contents = st.text("xyz\n", max_size=5)


def files_of(workspace):
    return {name: workspace.read(name) for name in workspace.list_files()}


@settings(max_examples=60, deadline=None)
@given(before=st.dictionaries(names, contents), writes=st.lists(st.tuples(names, contents)))
def test_undo_brings_back_exactly_what_was_there_before(tmp_path_factory, before, writes):
    workspace = Workspace(tmp_path_factory.mktemp("w"), ORDER)
    for name, content in before.items():
        workspace.write(TaskId("order.1.1"), name, content)
    kept = files_of(workspace)
    for name, content in writes:
        created = workspace.write(TaskId("order.1.2"), name, content)
        assert created == (name not in kept)
    assert files_of(workspace) == {**kept, **dict(writes)}
    workspace.undo(TaskId("order.1.2"))
    assert files_of(workspace) == kept
    assert workspace.undo(TaskId("order.1.2")) == ((), ())
    assert files_of(workspace) == kept


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a\x00b", ".", "dir/.."])
def test_no_path_leads_out(tmp_path, name):
    with pytest.raises(PathRefused):
        Workspace(tmp_path, ORDER).write(TaskId("order.1.1"), name, "x")
    assert list(tmp_path.rglob("*")) == []


def use(name, **arguments):
    return ToolUseBlock(id="u", name=name, input=arguments)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (use("rm_rf"), "there is no tool rm_rf"),
        (use("write_file", path="a"), "content"),
        (use("write_file", path="../a", content="x"), "no path inside"),
        (use("write_file", path="a", content="x" * 1_100_000), "write less"),
        (use("read_file", path="none"), "there is no file none"),
    ],
)
def test_what_goes_wrong_is_told_to_the_model(tmp_path, wish, said):
    used = use_tools(1, 1, (wish,), Workspace(tmp_path, ORDER), TaskId("order.1.1"))
    (result,) = used.results
    assert result.is_error
    assert said in result.content


def test_tools_work_one_after_another(tmp_path):
    wishes = (use("write_file", path="a", content="x"), use("list_files"), use("read_file", path="a"))
    used = use_tools(1, 1, wishes, Workspace(tmp_path, ORDER), TaskId("order.1.1"))
    assert [result.content for result in used.results] == ["created a (1 bytes)", "a", "x"]
    assert used.files_created == ("a",)


def test_every_tool_is_described_to_the_model():
    for spec in tool_specs():
        assert spec.name in TOOLS
        assert spec.description
        assert spec.input_schema["additionalProperties"] is False
