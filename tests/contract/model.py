"""What every model does. An adapter's test class brings the `model` fixture and inherits the behaviour.

The fixture's model answers like one that is well: it uses a tool that is offered when the order asks for a file, and
follows a schema that is asked for.
"""

import asyncio

from aicompany.plans.proposal import PlanProposal, plan_of
from aicompany.ports.model import (
    Model,
    ModelAnswer,
    ModelMessage,
    ModelRequest,
    StopReason,
    TextBlock,
    ToolResultBlock,
    ToolSpec,
)
from aicompany.spec.work import PlanningSpec

WRITE_FILE = ToolSpec(
    name="write_file",
    description="Write a file.",
    input_schema={
        "type": "object",
        "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["path", "content"],
        "additionalProperties": False,
    },
)


def said(role, *blocks):
    return ModelMessage(role=role, content=blocks)


def question(text="Write a greeting.", **fields):
    values = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "timeout_seconds": 10, **fields}
    return ModelRequest(messages=(said("user", TextBlock(text=text)),), **values)


class ModelContract:
    async def test_a_question_has_an_answer_in_words(self, model: Model) -> None:
        answer = await model.answer(question(system="Be brief."))
        assert answer.text.strip()
        assert answer.stop_reason is StopReason.END_TURN
        assert answer.tool_uses == ()
        assert answer.model

    async def test_an_answer_says_what_it_cost(self, model: Model) -> None:
        usage = (await model.answer(question())).usage
        assert usage.calls == 1
        assert usage.input_tokens > 0
        assert usage.output_tokens > 0
        assert usage.cost_usd >= 0

    async def test_an_answer_survives_being_stored(self, model: Model) -> None:
        answer = await model.answer(question("Save a greeting as hello.txt.", tools=(WRITE_FILE,)))
        assert ModelAnswer.model_validate_json(answer.model_dump_json()) == answer

    async def test_an_asked_schema_is_followed(self, model: Model) -> None:
        answer = await model.answer(question(output_schema=PlanProposal.model_json_schema()))
        assert plan_of(answer.text, PlanningSpec()).phases

    async def test_a_tool_is_asked_for_and_its_result_taken(self, model: Model) -> None:
        first = question("Save a greeting as hello.txt.", tools=(WRITE_FILE,))
        asked = await model.answer(first)
        assert asked.stop_reason is StopReason.TOOL_USE
        (use,) = asked.tool_uses
        assert use.name == "write_file"
        assert set(use.input) == {"path", "content"}

        result = ToolResultBlock(tool_use_id=use.id, content="written")
        history = (*first.messages, said("assistant", *asked.content), said("user", result))
        answer = await model.answer(first.model_copy(update={"messages": history}))
        assert answer.stop_reason is StopReason.END_TURN
        assert answer.text.strip()

    async def test_questions_at_once_do_not_mix(self, model: Model) -> None:
        texts = [f"Write about subject number {number}." for number in range(20)]
        alone = [(await model.answer(question(text))).text for text in texts]
        at_once = await asyncio.gather(*(model.answer(question(text)) for text in texts))
        assert [answer.text for answer in at_once] == alone
        assert len(set(alone)) == len(alone)

    async def test_a_cancelled_question_leaves_the_model_usable(self, slow_model: Model) -> None:
        call = asyncio.create_task(slow_model.answer(question()))
        await asyncio.sleep(0)
        call.cancel()
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
        assert (await slow_model.answer(question())).text

    async def test_closing_again_does_no_harm(self, model: Model) -> None:
        await model.answer(question())
        await model.close()
        await model.close()
