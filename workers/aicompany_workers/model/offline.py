"""The offline model: answers without any model service, so that everything can be tried and tested without a key.

It takes the material apart instead of understanding it: plans by a fixed pattern, results out of headings, lists and
sentences that share words with the instruction. Every answer opens by saying so.
"""

import asyncio
import json
import re
from collections.abc import Sequence

from aicompany.ports.model import (
    Block,
    ModelAnswer,
    ModelMessage,
    ModelRequest,
    StopReason,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from aicompany.tasks.intake import title_of
from aicompany.tasks.kind import kind_of
from aicompany.usage import Usage

OFFLINE_NOTICE = "> Offline: no model was asked. This text was put together from the material by fixed rules."
OFFLINE_MODEL = "offline"

_CHARACTERS_PER_TOKEN = 4
_TAGGED = re.compile(
    r"<(?P<tag>order|file|earlier_result|instruction)"
    r'(?: (?:name|title|kind)="(?P<name>[^"]*)")?>\n(?P<body>.*?)\n</(?P=tag)>',
    re.DOTALL,
)
_HEADING = re.compile(r"^#{1,6}\s+(.*)$")
_BULLET = re.compile(r"^\s*[-*+]\s+(.*)$")
_FILE_WISH = re.compile(
    r"\b(?:save|write|put|store)\b[^.\n]*?\b(?:as|to|into|in)\s+`?([\w-]+(?:/[\w-]+)*\.\w{1,8})\b", re.IGNORECASE
)
_ORDER_WISH = re.compile(r"^\s*order\s*:\s*(.+)", re.IGNORECASE | re.DOTALL)


class OfflineModel:
    """`ports.model.Model` without a model. Deterministic: the same question has the same answer."""

    is_offline = True

    def __init__(self, latency_seconds: float = 0.0) -> None:
        self._latency_seconds = latency_seconds

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Answer at once, or after the fixed latency."""
        if self._latency_seconds:
            await asyncio.sleep(self._latency_seconds)
        blocks, stop = _answer(request)
        return ModelAnswer(
            content=blocks, stop_reason=stop, usage=_usage_of(request, blocks), model=OFFLINE_MODEL, request_id=None
        )

    async def close(self) -> None:
        """Nothing to let go of."""


def _answer(request: ModelRequest) -> tuple[tuple[Block, ...], StopReason]:
    tools = {tool.name for tool in request.tools}
    if request.output_schema is not None:
        return (TextBlock(text=json.dumps(_plan_for(_material(request.messages)))),), StopReason.END_TURN
    if "place_order" in tools:
        return _talk(request.messages)
    return _work(request.messages, tools)


def _usage_of(request: ModelRequest, blocks: Sequence[Block]) -> Usage:
    read = len(request.system) + sum(len(_text_of(message)) for message in request.messages)
    written = sum(
        len(block.model_dump_json()) if isinstance(block, ToolUseBlock) else len(_block_text(block)) for block in blocks
    )
    return Usage(calls=1, input_tokens=read // _CHARACTERS_PER_TOKEN, output_tokens=written // _CHARACTERS_PER_TOKEN)


def _block_text(block: Block) -> str:
    match block:
        case TextBlock(text=text):
            return text
        case ToolResultBlock(content=content):
            return content
        case _:
            return ""


def _text_of(message: ModelMessage) -> str:
    return "\n".join(_block_text(block) for block in message.content)


class _Material:
    """The first message taken apart: what is to be done, and with what."""

    def __init__(self, text: str) -> None:
        found = [(match["tag"], match["name"] or "", match["body"]) for match in _TAGGED.finditer(text)]
        self.instruction = next((body for tag, _, body in found if tag == "instruction"), None) or text
        self.order = next((body for tag, _, body in found if tag == "order"), self.instruction)
        if self.instruction is text and self.order is not text:
            self.instruction = self.order
        self.files = [(name, body) for tag, name, body in found if tag == "file"]
        self.earlier = [(name, body) for tag, name, body in found if tag == "earlier_result"]


def _material(messages: Sequence[ModelMessage]) -> _Material:
    return _Material(_text_of(messages[0]))


def _plan_for(material: _Material) -> dict[str, object]:
    """Reading (one step a file, at most four), doing, checking."""
    kind = kind_of(material.order).value
    goal = title_of(material.order)
    names = [name for name, _ in material.files][:4] or ["the order"]
    reading = [
        _step(f"Read {name}", f"Collect from {name} what matters for the order: {goal}", "analysis", "analysis")
        for name in names
    ]
    doing = _step(goal, material.order, kind, kind)
    checking = _step(
        "Check it against the order",
        f"Check the result against the order and hand it over: {goal}",
        "writing",
        "review",
    )
    phases = [("Understand", reading), ("Do", [doing]), ("Check", [checking])]
    return {"phases": [{"name": name, "steps": steps} for name, steps in phases]}


def _step(title: str, instruction: str, kind: str, speciality: str) -> dict[str, str]:
    return {"title": title[:200], "instruction": instruction, "kind": kind, "speciality": speciality}


def _work(messages: Sequence[ModelMessage], tools: set[str]) -> tuple[tuple[Block, ...], StopReason]:
    material = _material(messages)
    text = _result_for(material)
    # Only the step that carries out the order itself writes the file; the others read and check.
    wish = _FILE_WISH.search(material.instruction) if material.instruction == material.order else None
    if wish and "write_file" in tools and len(messages) == 1:
        use = ToolUseBlock(id="offline_1", name="write_file", input={"path": wish[1], "content": text})
        return (use,), StopReason.TOOL_USE
    return (TextBlock(text=text),), StopReason.END_TURN


def _result_for(material: _Material) -> str:
    if material.instruction.startswith("Check the result") and material.earlier:
        # The step before has the result; checking without a model can only hand it on.
        return material.earlier[-1][1]
    body = "\n\n".join(_digest(name, text, material.instruction) for name, text in material.files)
    if not body and material.earlier:
        body = "\n\n".join(
            f"## {title}\n\n{text.replace(OFFLINE_NOTICE, '').strip()}" for title, text in material.earlier
        )
    if not body:
        body = f"The order was: {title_of(material.instruction)}"
    return f"{OFFLINE_NOTICE}\n\n# {title_of(material.instruction)}\n\n{body}"


def _digest(name: str, text: str, instruction: str) -> str:
    """The list items of a file under their headings, newest section first; its most fitting sentences otherwise."""
    sections = _sections(text)
    if not sections:
        return f"From {name}:\n\n{_fitting_sentences(text, instruction)}"
    parts = []
    for heading, items in sections:
        parts.append(f"## {heading}")
        parts.append("\n".join(f"- {item}" for item in items))
    return "\n\n".join(parts)


def _sections(text: str) -> list[tuple[str, list[str]]]:
    """Headings of the first release (or of the whole, when there are no releases) with their list items."""
    release, heading = "", ""
    sections: dict[str, list[str]] = {}
    releases: list[str] = []
    for line in text.splitlines():
        if found := _HEADING.match(line):
            heading = found[1].strip()
            if re.search(r"\d+\.\d+", heading) or "unreleased" in heading.lower():
                release, heading = heading, ""
                releases.append(release)
        elif (found := _BULLET.match(line)) and (not releases or release == releases[0]):
            title = " · ".join(part for part in (release, heading) if part) or "Points"
            sections.setdefault(title, []).append(found[1].strip())
        elif line.startswith("  ") and line.strip() and sections and (not releases or release == releases[0]):
            title = next(reversed(sections))
            sections[title][-1] += " " + line.strip()
    return list(sections.items())


def _fitting_sentences(text: str, instruction: str) -> str:
    wanted = set(re.findall(r"\w{4,}", instruction.lower()))
    sentences = re.split(r"(?<=[.!?])\s+", " ".join(text.split()))
    scored = [(len(wanted & set(re.findall(r"\w{4,}", sentence.lower()))), -i) for i, sentence in enumerate(sentences)]
    best = sorted(sorted(scored, reverse=True)[:5], key=lambda entry: -entry[1])
    return "\n".join(f"- {sentences[-i]}" for _, i in best)


def _talk(messages: Sequence[ModelMessage]) -> tuple[tuple[Block, ...], StopReason]:
    last = messages[-1]
    told = [block.content for block in last.content if isinstance(block, ToolResultBlock)]
    if told:
        return (TextBlock(text=f"{OFFLINE_NOTICE}\n\n{told[-1]}"),), StopReason.END_TURN
    said = _text_of(last)
    if wish := _ORDER_WISH.match(said):
        use = ToolUseBlock(id=f"offline_{len(messages)}", name="place_order", input={"prompt": wish[1].strip()})
        return (use,), StopReason.TOOL_USE
    turns = sum(isinstance(m.content[0], TextBlock) for m in messages if m.role == "user")
    text = (
        f"{OFFLINE_NOTICE}\n\nI heard: {title_of(said)} (turn {turns}). Without a model I cannot talk about it, but "
        "I can place an order: begin with “order:” and say what is to be done."
    )
    return (TextBlock(text=text),), StopReason.END_TURN
