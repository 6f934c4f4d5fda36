"""The schedule is a function of its seed, deals every card, and leaves a target that is down alone."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tests.faults.schedule import MODEL_CARDS, SERVER_CARDS, Kind, process_cards, schedule_of

DECK = (*MODEL_CARDS, *SERVER_CARDS, *process_cards(["gateway", "pm", "task", "result", "dialog"]))


def test_the_same_seed_gives_the_same_faults():
    runs = [schedule_of(seed, seconds=300, every_seconds=2, deck=DECK) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


@given(st.integers(0, 2**32))
def test_every_fault_comes_in_a_run_of_two_decks(seed: int):
    faults = schedule_of(seed, seconds=4 * len(DECK) + 60, every_seconds=2, deck=DECK)
    assert {(fault.kind, fault.target) for fault in faults} == {(card.kind, card.target) for card in DECK}


@given(st.integers(0, 2**32))
def test_a_target_has_one_fault_at_a_time_and_time_to_recover(seed: int):
    cards = {(card.kind, card.target): card for card in DECK}
    busy_until: dict[str, float] = {}
    for fault in schedule_of(seed, seconds=600, every_seconds=2, deck=DECK):
        assert fault.at_seconds >= busy_until.get(fault.target, 0)
        card = cards[fault.kind, fault.target]
        busy_until[fault.target] = fault.at_seconds + card.seconds + card.recovery_seconds


@given(st.integers(0, 2**32))
def test_the_long_outage_is_rare(seed: int):
    faults = schedule_of(seed, seconds=2000, every_seconds=2, deck=DECK)
    kinds = Counter(fault.kind for fault in faults)
    assert 1 <= kinds[Kind.STOP] <= 10, "one in a hundred at most"
    assert kinds[Kind.RESET] > 4 * kinds[Kind.STOP]


@given(st.integers(0, 2**32))
def test_a_short_run_has_one_long_outage(seed: int):
    faults = schedule_of(seed, seconds=250, every_seconds=2, deck=DECK)
    assert [fault.kind for fault in faults].count(Kind.STOP) == 1


def test_there_is_a_fault_nearly_every_two_seconds():
    faults = schedule_of(3, seconds=1000, every_seconds=2, deck=DECK)
    assert len(faults) >= 495
