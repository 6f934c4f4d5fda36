"""The offline model keeps the model's contract, and says what it is."""

import pytest
from tests.contract.model import ModelContract, question

from aicompany_workers.model.offline import OfflineModel


@pytest.fixture
def model():
    return OfflineModel()


@pytest.fixture
def slow_model():
    return OfflineModel(latency_seconds=0.1)


class TestOfflineModel(ModelContract):
    async def test_it_says_that_it_is_offline(self, model):
        assert model.is_offline is True
        assert "offline" in (await model.answer(question())).text.lower()

    async def test_it_costs_nothing(self, model):
        usage = (await model.answer(question())).usage
        assert (usage.cost_usd, usage.unpriced_calls) == (0, 0)
