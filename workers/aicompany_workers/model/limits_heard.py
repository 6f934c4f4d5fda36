"""What a model's service said last of its limits: handed out by the adapter, taken by whoever keeps to them."""

from aicompany.allowance import LimitsTold


class LimitsHeard:
    """The newest word on each model, until it is taken."""

    def __init__(self) -> None:
        self._told: dict[str, LimitsTold] = {}

    def hear(self, told: LimitsTold) -> None:
        """The service said this."""
        self._told[told.model] = told

    def take(self, model: str) -> LimitsTold | None:
        """What was said of the model since the last time; `None` when nothing was."""
        return self._told.pop(model, None)
