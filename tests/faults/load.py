"""The load: numbered orders and turns, handed in at a steady pace through the company's gateway."""

import asyncio
import random
from collections import Counter
from contextlib import suppress

import httpx2
from tests.faults.evidence import Sort, Submission, mark_of

_AT_ONCE_MAX = 100
_ACCEPT_SECONDS = 240.0
_REQUEST_SECONDS = 15.0
_AGAIN_SECONDS = 0.5
_TURNS_A_CONVERSATION = 20
CRITICAL = "critical"


def sort_of(number: int) -> Sort:
    """One in twelve is a turn, one in twenty-five is planned by the model."""
    if number % 12 == 5:
        return Sort.TURN
    return Sort.PLANNED if number % 25 == 3 else Sort.PLAIN


class Load:
    """Hands in the numbers from 1 on. An order is tried under its key until it is accepted, a turn is said once."""

    def __init__(self, url: str, *, count: int, per_second: float, chance: random.Random) -> None:
        self.count = count
        self.submissions: dict[int, Submission] = {}
        self.refusals: Counter[str] = Counter()
        """What the gateway said instead of 202, by status."""
        self.lanes_closed: set[str] = set()
        """Lanes that get no order for now."""
        self._lane_of: dict[int, str] = {}
        self._per_second = per_second
        self._chance = chance
        self._http = httpx2.AsyncClient(base_url=url, timeout=_REQUEST_SECONDS)
        self._places = asyncio.Semaphore(_AT_ONCE_MAX)
        turns = count // 12 + 1
        self._conversations = [_Conversation() for _ in range(max(3, turns // _TURNS_A_CONVERSATION))]

    @property
    def accepted(self) -> int:
        """Numbers that were accepted so far."""
        return sum(submission.accepted for submission in self.submissions.values())

    def orders_in(self, lane: str) -> list[Submission]:
        """Orders that were handed in for a lane, whether or not they are accepted yet."""
        return [self.submissions[number] for number, wished in self._lane_of.items() if wished == lane]

    async def run(self) -> None:
        """Hand everything in, at the pace or as fast as the company takes it."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with self._http, asyncio.TaskGroup() as hands:
            for number in range(1, self.count + 1):
                await asyncio.sleep(started + number / self._per_second - loop.time())
                await self._places.acquire()
                sort = sort_of(number)
                self.submissions[number] = Submission(number, sort)
                hand = hands.create_task(self._say(number) if sort is Sort.TURN else self._order(number, sort))
                hand.add_done_callback(lambda _: self._places.release())

    async def _order(self, number: int, sort: Sort) -> None:
        wish: dict[str, str] = {"prompt": f"Tell what is known of {mark_of(number)}."}
        if sort is Sort.PLANNED:
            wish["kind"] = "code"
        lane = self._chance.choices(["", "low", "high", CRITICAL], (6, 1, 1, 1))[0]
        if lane and lane not in self.lanes_closed:
            wish["priority"] = self._lane_of[number] = lane
        with suppress(TimeoutError):
            async with asyncio.timeout(_ACCEPT_SECONDS):
                answer = await self._until_accepted("/v1/tasks", wish, {"Idempotency-Key": f"number-{number}"})
                self.submissions[number] = Submission(number, sort, task_id=answer.json()["id"])

    async def _until_accepted(self, path: str, wish: dict[str, str], headers: dict[str, str]) -> httpx2.Response:
        while True:
            try:
                answer = await self._http.post(path, json=wish, headers=headers)
            except httpx2.TransportError as error:
                self.refusals[type(error).__name__] += 1
            else:
                if answer.is_success:
                    return answer
                self._refused(answer)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _say(self, number: int) -> None:
        conversation = self._conversations[number // 12 % len(self._conversations)]
        async with conversation.lock:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ACCEPT_SECONDS):
                    if conversation.id is None:
                        conversation.id = (await self._until_accepted("/v1/conversations", {}, {})).json()["id"]
                    turn = await self._say_once(conversation.id, f"What is {mark_of(number)}?")
                    self.submissions[number] = Submission(number, Sort.TURN, conversation=conversation.id, turn=turn)

    async def _say_once(self, conversation: str, text: str) -> int | None:
        """The turn's number; `None` when nobody can tell whether it was taken, for saying it again would double it."""
        while True:
            try:
                answer = await self._http.post(f"/v1/conversations/{conversation}/turns", json={"text": text})
            except httpx2.ConnectError as error:
                # It was never sent.
                self.refusals[type(error).__name__] += 1
            except httpx2.TransportError as error:
                self.refusals[type(error).__name__] += 1
                return None
            else:
                if answer.is_success:
                    return int(answer.json()["turn"])
                self._refused(answer)
                if answer.status_code != httpx2.codes.TOO_MANY_REQUESTS:
                    return None
            await asyncio.sleep(_AGAIN_SECONDS)

    def _refused(self, answer: httpx2.Response) -> None:
        self.refusals[str(answer.status_code)] += 1
        if answer.status_code < 500 and answer.status_code != httpx2.codes.TOO_MANY_REQUESTS:
            raise AssertionError(f"the gateway says {answer.status_code} to a good request: {answer.text}")


class _Conversation:
    """Turns of one conversation are said one after the other, without waiting for answers."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.lock = asyncio.Lock()
