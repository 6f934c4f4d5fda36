"""What every presence does. An adapter's test class brings the `presence` fixture."""

import asyncio

from tests.waiting import eventually

from aicompany.ports.presence import Heartbeat, Presence


def heartbeat(process, in_flight=0):
    return Heartbeat(
        process=process, group="task.qa", in_flight=in_flight, capacity=8, cpu_ratio=0.5, memory_bytes=1,
        error_ratio=0.0, response_seconds=0.1, complexity=1.5,
    )  # fmt: skip


class PresenceContract:
    async def test_who_beats_is_present_until_it_leaves(self, presence: Presence) -> None:
        assert not await presence.is_present("a", silent_seconds_max=60)
        await presence.beat(heartbeat("a"))
        assert await presence.is_present("a", silent_seconds_max=60)
        await presence.leave("a")
        await presence.leave("a")
        assert not await presence.is_present("a", silent_seconds_max=60)

    async def test_who_is_silent_is_not_present(self, presence: Presence) -> None:
        await presence.beat(heartbeat("a"))

        async def is_silent() -> bool:
            return not await presence.is_present("a", silent_seconds_max=0.1)

        await eventually(is_silent)
        assert await presence.is_present("a", silent_seconds_max=60)
        assert await presence.heartbeats(silent_seconds_max=0.1) == []

    async def test_the_last_heartbeat_of_each_is_told(self, presence: Presence) -> None:
        await presence.beat(heartbeat("b"))
        await presence.beat(heartbeat("a", in_flight=1))
        await presence.beat(heartbeat("a", in_flight=2))
        records = await presence.heartbeats(silent_seconds_max=60)
        assert [record.heartbeat for record in records] == [heartbeat("a", in_flight=2), heartbeat("b")]
        assert records[0].at.tzinfo is not None

    async def test_a_message_is_held_by_the_first_who_claims_it(self, presence: Presence) -> None:
        await presence.beat(heartbeat("a"))
        assert await presence.holder("m") is None
        assert await presence.claim("m", "a", silent_seconds_max=60) == "a"
        assert await presence.claim("m", "b", silent_seconds_max=60) == "a"
        assert await presence.claim("m", "a", silent_seconds_max=60) == "a"
        assert await presence.holder("m") == "a"

    async def test_who_is_gone_or_silent_holds_nothing(self, presence: Presence) -> None:
        await presence.beat(heartbeat("a"))
        await presence.claim("m", "a", silent_seconds_max=60)
        await presence.leave("a")
        assert await presence.holder("m") == "a", "its name is remembered"
        assert await presence.claim("m", "b", silent_seconds_max=60) == "b"
        await presence.beat(heartbeat("b"))

        async def is_taken_over() -> bool:
            return await presence.claim("m", "c", silent_seconds_max=0.1) == "c"

        await eventually(is_taken_over)

    async def test_of_many_at_the_same_time_one_gets_the_message(self, presence: Presence) -> None:
        names = [f"p{number}" for number in range(8)]
        for name in names:
            await presence.beat(heartbeat(name))
        holders = await asyncio.gather(*(presence.claim("m", name, silent_seconds_max=60) for name in names))
        assert len(set(holders)) == 1
        assert holders[0] in names
