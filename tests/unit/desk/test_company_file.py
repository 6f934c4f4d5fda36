"""Files people write: whatever stands in them, there is a company or a sentence."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aicompany.errors import OrderInvalid, OrderTooLarge, SpecInvalid
from aicompany.spec.company import AICompany
from aicompany_desk.company_file import load_company, load_order, order_request, read_attachment

GOOD = "apiVersion: aicompany.io/v1alpha1\nkind: AICompany\nmetadata: {name: acme}\n"
PIECES = [
    "spec:",
    "  agents:",
    "    - name: a",
    "  model: {name: x}",
    "&a",
    "*a",
    "<<: *a",
    "[",
    "{",
    "}",
    "!!int",
    "!!bool x",
    "!!timestamp x",
    "\t",
]
BOMB = "a: &a [x,x]\n" + "".join(f"{n}: &{n} [*{p},*{p}]\n" for p, n in zip("abcdefghijklmno", "bcdefghijklmnop"))  # noqa: B905


@pytest.fixture
def refusal(tmp_path):
    """The sentence for a company file of this content."""

    def of(content: str | bytes, **environment: str) -> str:
        path = tmp_path / "company.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(SpecInvalid) as caught:
            load_company(path, environment)
        return caught.value.message.replace(str(tmp_path), "")

    return of


@given(text=st.text() | st.lists(st.sampled_from([*PIECES, *GOOD.splitlines()])).map("\n".join))
@settings(max_examples=200)
def test_any_text_is_a_company_or_a_sentence(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    outcome = None
    try:
        outcome = load_company(path, {})
    except SpecInvalid as error:
        outcome = error.message
    assert isinstance(outcome, AICompany) or outcome.startswith(str(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD + "metadata: {name: other}\n", "metadata (line 3): stands there again on line 4; keep one"),
        (GOOD + "spec: {agents: [{name: a, fallback: true, name: b}]}", "spec.agents[0].name (line 4): stands there"),
        (GOOD + "---\n" + GOOD, "(line 4, column 1): a second document begins there"),
        ("a: &x [*x]", "a (line 1): unknown field"),
        (GOOD + BOMB + "spec: {agents: *p}", "spec.agents[0]"),
        ("a: " + "[" * 100_000, "nested too deeply"),
        ("a: " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
        ("a: \x1b[31m", "(line 1): a control character stands there"),
        ("a: 0x_", "no valid YAML"),
        (b"\xff\xfe", "not UTF-8 text (byte 0)"),
        (GOOD + "1: x", "1 (line 4): is no name of a field"),
    ],
    ids=lambda value: None if isinstance(value, bytes) or len(value) > 100 else value,
)
def test_odd_files_get_a_sentence(refusal, content, words):
    assert words in refusal(content)


def test_mistakes_come_in_the_order_of_the_file_and_all_at_once(refusal):
    told = refusal(GOOD + "zzz: 1\nspec:\n  gateway: {port: x}\n  model: {nme: y}\n  model: {}\n").splitlines()
    assert [line.split(":")[0].strip() for line in told[1:]] == [
        "zzz (line 4)", "spec.gateway.port (line 6)", "spec.model (line 7)",
    ]  # fmt: skip


def test_merged_and_repeated_parts_are_no_doubles(tmp_path):
    path = tmp_path / "company.yaml"
    path.write_text(
        GOOD + "spec:\n  workers:\n    pm: &few {max: 2}\n    task: {<<: *few, concurrency: 3}\n    dialog: *few\n"
    )
    workers = load_company(path, {}).spec.workers
    assert (workers.task.max, workers.task.concurrency, workers.dialog.max) == (2, 3, 2)


def test_a_mistake_of_the_environment_names_the_variable(refusal):
    told = refusal(GOOD + "spec: {gateway: {port: 1}}", AICOMPANY_GATEWAY__PORT="x")
    assert told == "/company.yaml: AICOMPANY_GATEWAY__PORT (spec.gateway.port): 'x' is not a whole number"


def test_a_device_without_an_end_is_refused_after_what_may_be_read():
    with pytest.raises(SpecInvalid, match="is over 33,554,432 bytes"):
        load_company(Path("/dev/zero"), {})
    with pytest.raises(OrderTooLarge, match="is over 8,388,608 bytes"):
        read_attachment(Path("/dev/zero"))


def test_a_pipe_is_as_good_as_a_file():
    reading, writing = os.pipe()
    os.write(writing, "grüß dich".encode())
    os.close(writing)
    try:
        assert read_attachment(Path(f"/dev/fd/{reading}")).content == "grüß dich"
    finally:
        os.close(reading)


def test_a_file_whose_name_cannot_be_handed_on_is_refused(tmp_path):
    path = tmp_path / "a\nb"
    path.write_text("x")
    with pytest.raises(OrderInvalid, match="rename it"):
        read_attachment(path)


def test_an_order_file_takes_its_files_from_beside_itself(tmp_path):
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "notes.md").write_text("# Notes")
    (tmp_path / "orders" / "order.yaml").write_text("prompt: Sum it up\nkind: writing\nfiles: [notes.md]\n")
    order = load_order(tmp_path / "orders" / "order.yaml")
    assert [(file.name, file.content) for file in order.attachments] == [("notes.md", "# Notes")]
    assert (order.kind, order.priority) == ("writing", None)


def test_everything_that_is_wrong_with_a_typed_order_is_said():
    with pytest.raises(OrderInvalid) as caught:
        order_request(prompt="x", title="t" * 201, deadline_seconds=-1.0)
    assert caught.value.message == (
        "title: is too long a text; it may have 200 characters at most; "
        "deadline_seconds: -1.0 is out of range; it should be greater than 0"
    )
