"""The dialog worker: talks with the user, and places orders for them."""

from dataclasses import dataclass, field

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aicompany.conversations.events import TurnAnswered
from aicompany.conversations.state import Conversation, fold_conversation
from aicompany.errors import AnswerInvalid, DefectError, UserError
from aicompany.ids import TaskId, TraceId
from aicompany.ports.broker import Outgoing
from aicompany.ports.clock import Clock
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, CompanyQueries, EventStore
from aicompany.ports.model import Model, ModelMessage, ModelRequest, ToolResultBlock, ToolUseBlock
from aicompany.spec.company import CompanySpec
from aicompany.tasks.answer import CallTools, Finished, Rejected, judge_answer
from aicompany.tasks.intake import OrderRequest, accept_order
from aicompany.usage import NO_USAGE, Usage
from aicompany_workers.runtime.effects import NO_EFFECTS, Effects, append_to, outgoing_of
from aicompany_workers.runtime.role import Message
from aicompany_workers.tools.registry import tool_spec_of

_SYSTEM = (
    "You are the voice of a company of workers. Talk briefly and plainly. When the user wants work done, place an "
    "order with place_order and tell its id; when they ask how an order is going, look it up with look_up_order. "
    "Never claim that something is done that you have not looked up."
)
_OUT_OF_TURN_SECONDS = 0.2
_ROUNDS_MAX = 10

log = structlog.get_logger()


class PlaceOrder(BaseModel):
    """Place an order with the company. It is carried out by other workers and takes a while."""

    model_config = ConfigDict(extra="forbid")
    prompt: str = Field(description="What is to be done, with everything the workers must know.")


class LookUpOrder(BaseModel):
    """Look up how an order is going, and its result when it is done."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(description="The order's id.")


@dataclass(slots=True)
class _Turn:
    """What has come together while a turn is being answered."""

    conversation: Conversation
    number: int
    trace_id: TraceId
    messages: list[ModelMessage]
    appends: list[Append] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    orders: list[TaskId] = field(default_factory=list)
    usage: Usage = NO_USAGE


@dataclass(frozen=True, slots=True)
class DialogRole:
    """Answers turns in their order. An order placed in a turn exists exactly when the turn's answer does."""

    store: EventStore
    queries: CompanyQueries
    model: Model
    spec: CompanySpec
    clock: Clock
    name: str = "dialog"

    async def process_message(self, message: Message) -> Effects:
        """Answer one turn."""
        envelope = message.envelope
        ref = AggregateRef(AggregateType.CONVERSATION, envelope.task_id)
        conversation = fold_conversation(ref.id, await self.store.read(ref))
        if conversation is None:
            raise DefectError(f"conversation {ref.id} does not exist")
        number = int(envelope.details["turn"])
        if number not in conversation.open_turns:
            return NO_EFFECTS
        if min(conversation.open_turns) < number:
            # The turn before is being answered; this one follows it.
            return Effects(outgoing=(outgoing_of(envelope.postpone(), delay_seconds=_OUT_OF_TURN_SECONDS),))
        turn = _Turn(conversation, number, envelope.trace_id, list(conversation.question(number)))
        text = await self._answer(turn)
        answered = TurnAnswered(
            turn=number,
            text=text,
            messages=tuple(turn.messages[len(conversation.history) :]),
            orders=tuple(turn.orders),
            usage=turn.usage,
            offline=self.model.is_offline,
        )
        # The user may have said more meanwhile; the answer stands all the same, and is not asked for again.
        append = append_to(ref.type, ref.id, None, [answered])
        log.info("turn.answered", turn=number, tokens_used=turn.usage.tokens, orders=turn.orders)
        return Effects((append, *turn.appends), tuple(turn.outgoing))

    async def _answer(self, turn: _Turn) -> str:
        for _ in range(_ROUNDS_MAX):
            answer = await self.model.answer(self._request(turn))
            turn.usage += answer.usage
            turn.messages.append(ModelMessage(role="assistant", content=answer.content))
            match judge_answer(answer):
                case Finished(text=text):
                    return text
                case Rejected(error=error):
                    raise error
                case CallTools(uses=uses):
                    results = [await self._use(use, turn) for use in uses]
                    turn.messages.append(ModelMessage(role="user", content=tuple(results)))
        raise AnswerInvalid(f"no answer after {_ROUNDS_MAX} model calls; say it in another way")

    def _request(self, turn: _Turn) -> ModelRequest:
        return ModelRequest(
            model=self.spec.model.name,
            system=_SYSTEM,
            messages=tuple(turn.messages),
            tools=(tool_spec_of("place_order", PlaceOrder), tool_spec_of("look_up_order", LookUpOrder)),
            max_tokens=self.spec.model.max_tokens,
            timeout_seconds=self.spec.model.timeout_seconds,
        )

    async def _use(self, use: ToolUseBlock, turn: _Turn) -> ToolResultBlock:
        try:
            match use.name:
                case "place_order":
                    said = self._place_order(PlaceOrder.model_validate(use.input), turn)
                case "look_up_order":
                    said = await self._look_up(LookUpOrder.model_validate(use.input))
                case _:
                    return ToolResultBlock(tool_use_id=use.id, content=f"there is no tool {use.name}", is_error=True)
        except (UserError, ValidationError) as error:
            return ToolResultBlock(tool_use_id=use.id, content=str(error), is_error=True)
        return ToolResultBlock(tool_use_id=use.id, content=said)

    def _place_order(self, wish: PlaceOrder, turn: _Turn) -> str:
        accepted = accept_order(
            OrderRequest(
                prompt=wish.prompt, requester=turn.conversation.requester, conversation_id=turn.conversation.id
            ),
            self.spec.orders,
            now=self.clock.now(),
            new_id=lambda: "",
            trace_id=turn.trace_id,
            idempotency_key=f"{turn.conversation.id}/{turn.number}/{len(turn.orders)}",
        )
        turn.appends.extend(accepted.change.appends)
        turn.outgoing.extend(accepted.change.outgoing)
        turn.orders.append(accepted.task_id)
        return f"order {accepted.task_id} is placed ({accepted.lane.value} lane)"

    async def _look_up(self, wish: LookUpOrder) -> str:
        row = await self.queries.task(wish.id)
        if row is None:
            return f"there is no order {wish.id}"
        parts = [f"order {row.id} is {row.state}"]
        if row.error_message:
            parts.append(row.error_message)
        if row.result:
            parts.append(row.result)
        return "\n".join(parts)
