"""The verdict over a run. Pure: evidence in, findings out.

Each number of the load must have had its effect exactly once, each model call must have been made once, unless the
service refused or broke it on purpose or the process that made it died with it in hand, turns of a conversation must
follow each other, and nothing may be there that nothing explains.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.faults.evidence import (
    Call,
    Cause,
    Death,
    Evidence,
    Outcome,
    Sort,
    StoredEvent,
    Submission,
    answers_in,
    marks_in,
)

_SLACK_SECONDS = 1.0
"""An answer takes a while from the service's hand to the caller's, through the proxy and a busy machine."""
_ENDS = frozenset({"task_completed", "task_failed", "task_cancelled"})


class Charge(StrEnum):
    """What can be wrong."""

    LOST = "lost"
    DOUBLED_EFFECT = "duplicated effect"
    DOUBLED_CALL = "duplicated model call"
    OUT_OF_ORDER = "out of order"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    charge: Charge
    about: str
    why: str

    def __str__(self) -> str:
        return f"{self.charge.value}: {self.about}: {self.why}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that is wrong, and what was counted."""

    findings: tuple[Finding, ...]
    counts: dict[str, int]

    def count(self, charge: Charge) -> int:
        """Findings of a charge."""
        return sum(finding.charge is charge for finding in self.findings)

    @property
    def charges(self) -> dict[str, int]:
        """Findings by charge, all five of them."""
        return {charge.value: self.count(charge) for charge in Charge}


def judge(evidence: Evidence) -> Verdict:
    """The verdict."""
    store = _Store.of(evidence.events)
    calls = list(_judge_calls(evidence, store))
    findings = [
        *_judge_orders(evidence, store),
        *_judge_turns(evidence, store),
        *_judge_strangers(evidence, store),
        *(ruling for ruling in calls if isinstance(ruling, Finding)),
        *_judge_context(evidence, store),
        *_judge_deaths(evidence.deaths),
    ]
    excuses = Counter(ruling.value for ruling in calls if isinstance(ruling, _Excuse))
    return Verdict(tuple(findings), _counts(evidence, store) | dict(excuses))


@dataclass(frozen=True, slots=True)
class _Store:
    """The events, sorted for looking up."""

    by_aggregate: dict[str, list[StoredEvent]]
    orders_of: dict[int, list[str]]
    """Number to the orders in the store that carry it."""
    turns_of: dict[int, list[tuple[str, int]]]
    """Number to conversation and turn."""

    @classmethod
    def of(cls, events: Iterable[StoredEvent]) -> "_Store":
        """In the order of the store."""
        by_aggregate: dict[str, list[StoredEvent]] = defaultdict(list)
        orders: dict[int, list[str]] = defaultdict(list)
        turns: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for event in sorted(events, key=lambda event: event.position):
            by_aggregate[event.aggregate_id].append(event)
            if event.event_type == "task_submitted" and "." not in event.aggregate_id:
                orders[_number_in(event.data["prompt"])].append(event.aggregate_id)
            elif event.event_type == "turn_taken":
                turns[_number_in(event.data["text"])].append((event.aggregate_id, event.data["turn"]))
        return cls(by_aggregate, orders, turns)

    def of_type(self, aggregate_id: str, *event_types: str) -> list[StoredEvent]:
        """Events of one aggregate."""
        return [event for event in self.by_aggregate.get(aggregate_id, ()) if event.event_type in event_types]

    def steps_of(self, order: str) -> list[str]:
        """Steps that the order's plan named."""
        return [
            f"{order}.{phase}.{step}"
            for made in self.of_type(order, "plan_made")
            for phase, steps in enumerate((phase["steps"] for phase in made.data["plan"]["phases"]), start=1)
            for step in range(1, len(steps) + 1)
        ]

    @property
    def answered_requests(self) -> set[str]:
        """Requests to the model whose answer was stored."""
        return {
            event.data["answer"]["request_id"]
            for events in self.by_aggregate.values()
            for event in events
            if event.event_type == "model_answered" and "request_id" in event.data["answer"]
        }

    @property
    def answered_keys(self) -> set[str]:
        """Calls whose answer was stored in words that name no request: turns, and answers out of the cache."""
        turns = {
            str(number)
            for number, places in self.turns_of.items()
            for place, turn in places
            if any(event.data["turn"] == turn for event in self.of_type(place, "turn_answered"))
        }
        numbers = {order: number for number, orders in self.orders_of.items() for order in orders}
        tasks = {
            task
            for task in self.by_aggregate
            if any("request_id" not in event.data["answer"] for event in self.of_type(task, "model_answered"))
        }
        return turns | {_key_of(task, numbers.get(task.split(".")[0], 0), self) for task in tasks}


def _key_of(task: str, number: int, store: _Store) -> str:
    """How the calls of a task are called."""
    order, *place = task.split(".")
    if not place:
        return f"{number}/plan"
    return f"{number}/{place[0]}" if len(store.steps_of(order)) > 1 else str(number)


def _number_in(text: str) -> int:
    return next(iter(marks_in(text)), 0)


def _judge_orders(evidence: Evidence, store: _Store) -> Iterator[Finding]:
    notices = Counter(evidence.notices)
    for submission in evidence.submissions:
        if submission.sort is Sort.TURN:
            continue
        about = f"order {submission.number}"
        orders = store.orders_of.get(submission.number, [])
        if submission.accepted and submission.task_id not in orders:
            yield Finding(Charge.LOST, about, f"it was accepted as {submission.task_id} and is not in the store")
        if len(orders) > 1:
            yield Finding(Charge.DOUBLED_EFFECT, about, f"it is in the store {len(orders)} times: {', '.join(orders)}")
        for order in orders:
            yield from _judge_order(f"{about} ({order})", order, store)
            yield from _judge_told(f"{about} ({order})", notices[order], evidence.results.get(order), submission)


def _judge_order(about: str, order: str, store: _Store) -> Iterator[Finding]:
    for task in (order, *store.steps_of(order)):
        yield from _judge_task(about if task == order else f"step {task} of {about}", task, store)
    plans = store.of_type(order, "plan_made")
    if len(plans) > 1:
        yield Finding(Charge.DOUBLED_EFFECT, about, f"it was planned {len(plans)} times")
    delivered = store.of_type(order, "result_delivered")
    if not delivered:
        yield Finding(Charge.LOST, about, "its result was never delivered")
    if len(delivered) > 1:
        yield Finding(Charge.DOUBLED_EFFECT, about, f"its result was delivered {len(delivered)} times")


def _judge_task(name: str, task: str, store: _Store) -> Iterator[Finding]:
    ends = store.of_type(task, *_ENDS)
    if not ends:
        last = [event.event_type for event in store.by_aggregate.get(task, ())][-1:]
        yield Finding(Charge.LOST, name, f"it never ended; its last event is {last[0] if last else 'none'}")
    if len(ends) > 1:
        yield Finding(Charge.DOUBLED_EFFECT, name, f"it ended {len(ends)} times")
    for end in ends:
        if end.event_type != "task_completed":
            why = end.data.get("reason") or end.data.get("failure")
            yield Finding(Charge.UNEXPLAINED, name, f"{end.event_type}, though it can be done: {why}")
    for answered, times in _answers(store, task).items():
        if times > 1:
            yield Finding(Charge.DOUBLED_EFFECT, name, f"answer {answered} was stored {times} times")


def _answers(store: _Store, task: str) -> Counter[tuple[int, int]]:
    """How often the answer of each run and call of a task stands in the store."""
    answered = store.of_type(task, "model_answered")
    return Counter((event.data.get("run", 1), event.data["call"]) for event in answered)


def _judge_told(about: str, notices: int, result: str | None, submission: Submission) -> Iterator[Finding]:
    if notices == 0:
        yield Finding(Charge.LOST, about, "its requester was never told")
    if notices > 1:
        yield Finding(Charge.DOUBLED_EFFECT, about, f"its requester was told {notices} times")
    if result is None:
        yield Finding(Charge.LOST, about, "no result was kept")
        return
    answers = answers_in(result)
    wanted = str(submission.number) if submission.sort is Sort.PLAIN else f"{submission.number}/2"
    if wanted not in answers:
        yield Finding(Charge.UNEXPLAINED, about, f"its result does not hold the answer to {wanted}: {result[:80]!r}")
    if len(answers) > len(set(answers)):
        yield Finding(Charge.DOUBLED_EFFECT, about, "its result holds an answer twice")


def _judge_turns(evidence: Evidence, store: _Store) -> Iterator[Finding]:
    said: dict[str, list[Submission]] = defaultdict(list)
    for submission in evidence.submissions:
        if submission.sort is not Sort.TURN:
            continue
        about = f"turn {submission.number}"
        places = store.turns_of.get(submission.number, [])
        if submission.accepted and (submission.conversation, submission.turn) not in places:
            yield Finding(Charge.LOST, about, f"it was accepted as {submission.turn} and is not in the store")
        if len(places) > 1:
            yield Finding(Charge.DOUBLED_EFFECT, about, f"it is in the store {len(places)} times")
        for place, turn in places:
            yield from _judge_turn(f"{about} ({place}, {turn})", place, turn, submission, store)
        if submission.accepted and submission.conversation:
            said[submission.conversation].append(submission)
    yield from _judge_sequence(said, store)


def _judge_sequence(said: dict[str, list[Submission]], store: _Store) -> Iterator[Finding]:
    """Turns are taken in the order in which they were said, and answered in the order in which they were taken."""
    for place, submissions in said.items():
        turns = [submission.turn or 0 for submission in submissions]
        if turns != sorted(turns):
            yield Finding(Charge.OUT_OF_ORDER, f"conversation {place}", f"what was said in order was taken as {turns}")
    for place in sorted({place for places in store.turns_of.values() for place, _ in places}):
        answered = [event.data["turn"] for event in store.of_type(place, "turn_answered")]
        if answered != sorted(answered):
            yield Finding(Charge.OUT_OF_ORDER, f"conversation {place}", f"turns were answered as {answered}")


def _judge_turn(about: str, place: str, turn: int, submission: Submission, store: _Store) -> Iterator[Finding]:
    answers = [event for event in store.of_type(place, "turn_answered") if event.data["turn"] == turn]
    failures = [event for event in store.of_type(place, "turn_failed") if event.data["turn"] == turn]
    if failures:
        why = failures[0].data["failure"]
        yield Finding(Charge.UNEXPLAINED, about, f"it failed, though it can be answered: {why}")
    elif not answers:
        yield Finding(Charge.LOST, about, "it was never answered")
    if len(answers) + len(failures) > 1:
        yield Finding(Charge.DOUBLED_EFFECT, about, f"it was answered {len(answers) + len(failures)} times")
    if any(answers_in(event.data["text"]) != [str(submission.number)] for event in answers):
        yield Finding(Charge.UNEXPLAINED, about, f"its answer is another's: {answers[0].data['text'][:80]!r}")


def _judge_strangers(evidence: Evidence, store: _Store) -> Iterator[Finding]:
    """What nobody handed in, and results of nothing."""
    numbers = {submission.number for submission in evidence.submissions}
    for number, orders in store.orders_of.items():
        if number not in numbers:
            yield Finding(Charge.UNEXPLAINED, f"order {number}", f"nobody handed it in: {', '.join(orders)}")
    for number in store.turns_of.keys() - numbers:
        yield Finding(Charge.UNEXPLAINED, f"turn {number}", "nobody said it")
    known = {order for found in store.orders_of.values() for order in found}
    for task in (set(evidence.notices) | evidence.results.keys()) - known:
        yield Finding(Charge.UNEXPLAINED, f"result of {task}", "the store knows no such order")
    for letter in (event for events in store.by_aggregate.values() for event in events):
        if letter.event_type == "message_buried":
            yield Finding(Charge.UNEXPLAINED, f"message {letter.aggregate_id}", f"a dead letter: {letter.data}")


class _Excuse(StrEnum):
    """Why a call that brought nothing is nobody's fault but ours."""

    REFUSED = "calls refused on purpose"
    BROKEN = "calls broken on purpose"
    DISTURBED = "calls on a connection broken on purpose"
    DIED = "calls repeated after a death"


def _judge_calls(evidence: Evidence, store: _Store) -> Iterator[Finding | _Excuse]:
    """A ruling on every call that brought no stored answer; those that did need none, once for each key."""
    numbers = {submission.number for submission in evidence.submissions}
    stored, answered = store.answered_requests, store.answered_keys
    deaths = {death.process: death for death in evidence.deaths}
    by_key: dict[str, list[Call]] = defaultdict(list)
    for call in evidence.calls:
        by_key[call.key].append(call)
    for key, calls in by_key.items():
        if calls[0].number not in numbers:
            yield Finding(Charge.UNEXPLAINED, f"model call {key}", "nothing that was handed in asks for it")
            continue
        fruitful = [call for call in calls if call.request_id in stored]
        if not fruitful and key in answered:
            # What was stored does not say which request brought it: it is the last that was answered.
            fruitful = [call for call in calls if call.outcome is Outcome.ANSWERED][-1:]
        if len(fruitful) > 1:
            yield Finding(Charge.DOUBLED_CALL, f"model call {key}", f"{len(fruitful)} of its answers were stored")
        for call in calls:
            if call not in fruitful:
                yield _ruling(call, calls, evidence, deaths)


def _ruling(call: Call, calls: Sequence[Call], evidence: Evidence, deaths: dict[str, Death]) -> Finding | _Excuse:
    if call.outcome is Outcome.REFUSED:
        return _Excuse.REFUSED
    if call.outcome is Outcome.BROKEN:
        return _Excuse.BROKEN
    if any(
        call.begun - _SLACK_SECONDS <= trouble.ended and trouble.begun <= call.ended + _SLACK_SECONDS
        for trouble in evidence.disturbances
    ):
        return _Excuse.DISTURBED
    later = [other.begun for other in calls if other.begun > call.begun]
    death = deaths.get(call.process)
    if (
        death is not None
        and death.cause in {Cause.KILLED, Cause.OVERDUE}
        and call.begun <= death.gone + _SLACK_SECONDS
        and (not later or death.at <= min(later))
    ):
        return _Excuse.DIED
    shown = ", ".join(f"{c.process} {c.begun:.2f}–{c.ended:.2f} {c.outcome.value}" for c in calls)
    return Finding(Charge.DOUBLED_CALL, f"model call {call.key}", f"{call.request_id} was for nothing: {shown}")


def _judge_context(evidence: Evidence, store: _Store) -> Iterator[Finding]:
    """A turn's call must show exactly the turns before it."""
    before: dict[int, tuple[int, ...]] = {}
    turns: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, places in store.turns_of.items():
        for place, turn in places:
            turns[place].append((turn, number))
    for taken in turns.values():
        numbers = tuple(number for _, number in sorted(taken))
        before |= {number: numbers[:index] for index, number in enumerate(numbers)}
    for call in evidence.calls:
        wanted = before.get(call.number)
        if wanted is not None and call.context != wanted:
            why = f"its call showed the turns {call.context[-5:]} and not {wanted[-5:]} (the last five)"
            yield Finding(Charge.OUT_OF_ORDER, f"turn {call.number}", why)


def _judge_deaths(deaths: Iterable[Death]) -> Iterator[Finding]:
    for death in deaths:
        if death.cause is Cause.BY_ITSELF:
            yield Finding(Charge.UNEXPLAINED, f"process {death.process}", f"it ended by itself: {death.words}")


def _counts(evidence: Evidence, store: _Store) -> dict[str, int]:
    accepted = [submission for submission in evidence.submissions if submission.accepted]
    ended = Counter(event.event_type for events in store.by_aggregate.values() for event in events)
    causes = Counter(death.cause for death in evidence.deaths)
    return {
        "handed in": len(evidence.submissions),
        "accepted": len(accepted),
        "results delivered": ended["result_delivered"],
        "turns answered": ended["turn_answered"],
        "model calls": len(evidence.calls),
        "steps started again": ended["task_started"]
        - len(
            {
                event.aggregate_id
                for events in store.by_aggregate.values()
                for event in events
                if event.event_type == "task_started"
            }
        ),
        "processes killed": causes[Cause.KILLED],
        "processes stopped": causes[Cause.STOPPED] + causes[Cause.OVERDUE],
        "processes that could not begin": causes[Cause.NOT_BEGUN],
    }
