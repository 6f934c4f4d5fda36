"""What every history of questions does. An adapter's test class brings `history`, with room for a hundred."""

import asyncio

from tests.waiting import eventually

from aicompany.ports.question_history import Asked, QuestionHistory


def asked(key="key", times=1, *, question=b"question", fresh=60.0, is_new=False):
    return Asked(key, times, question, fresh, is_new)


async def soon(history: QuestionHistory, within=100.0, limit=1000):
    return await history.expiring(within_seconds=within, limit=limit)


async def claim(history: QuestionHistory, key="key", *, seconds=60.0, most=100):
    return await history.claim(key, seconds=seconds, per_minute_max=most)


class QuestionHistoryContract:
    async def test_counts_add_up(self, history: QuestionHistory) -> None:
        await history.note([asked(is_new=True)])
        await history.note([asked(times=2), asked("other", is_new=True)])
        assert {one.key: one.asked for one in await soon(history)} == {"key": 3, "other": 1}

    async def test_a_new_answer_begins_a_new_count(self, history: QuestionHistory) -> None:
        await history.note([asked(times=9, is_new=True)])
        await history.note([asked(times=0, is_new=True)])
        await history.note([asked()])
        (found,) = await soon(history)
        assert found.asked == 1

    async def test_only_what_expires_within_the_time_is_found_soonest_first(self, history: QuestionHistory) -> None:
        await history.note([asked(str(fresh), fresh=fresh, is_new=True) for fresh in (90, 30, 60, 500)])
        found = await soon(history)
        assert [one.key for one in found] == ["30", "60", "90"]
        assert 25 < found[0].fresh_seconds <= 30
        assert [one.key for one in await soon(history, limit=2)] == ["30", "60"]

    async def test_an_older_word_on_the_time_changes_nothing(self, history: QuestionHistory) -> None:
        await history.note([asked(fresh=90, is_new=True)])
        await history.note([asked(fresh=10)])
        (found,) = await soon(history)
        assert found.fresh_seconds > 80

    async def test_what_has_expired_is_not_found(self, history: QuestionHistory) -> None:
        await history.note([asked(fresh=0.02, is_new=True), asked("other", is_new=True)])

        async def only_the_other():
            return [one.key for one in await soon(history)] == ["other"]

        await eventually(only_the_other)

    async def test_one_claims_and_is_given_the_question(self, history: QuestionHistory) -> None:
        await history.note([asked(question=b"the \xc3\xa4 question", is_new=True)])
        assert await claim(history) == b"the \xc3\xa4 question"
        assert await claim(history) is None

    async def test_of_many_at_once_one_claims(self, history: QuestionHistory) -> None:
        await history.note([asked(is_new=True)])
        claims = await asyncio.gather(*(claim(history) for _ in range(20)))
        assert claims.count(None) == 19

    async def test_a_claim_ends_by_itself(self, history: QuestionHistory) -> None:
        await history.note([asked(is_new=True)])
        assert await claim(history, seconds=0.02)
        await eventually(lambda: claim(history, seconds=0.02))

    async def test_only_so_many_are_claimed_in_a_minute(self, history: QuestionHistory) -> None:
        await history.note([asked(str(number), is_new=True) for number in range(10)])
        claims = [await claim(history, str(number), most=4) for number in range(10)]
        assert [bool(one) for one in claims] == [True] * 4 + [False] * 6

    async def test_what_is_not_known_cannot_be_claimed(self, history: QuestionHistory) -> None:
        assert await claim(history, "unknown") is None

    async def test_it_holds_no_more_than_it_may_and_forgets_what_expires_soonest(
        self, history: QuestionHistory
    ) -> None:
        await history.note([asked(str(number), fresh=1000 + number, is_new=True) for number in range(150)])
        found = await soon(history, within=10_000)
        assert [one.key for one in found] == [str(number) for number in range(50, 150)]
        assert await claim(history, "0") is None

    async def test_noting_nothing_and_closing_again_do_no_harm(self, history: QuestionHistory) -> None:
        await history.note([])
        await history.close()
        await history.close()
