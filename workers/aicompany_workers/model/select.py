"""Which model answers: chosen once, when the company starts."""

from collections.abc import Callable, Mapping

from aicompany.allowance import LimitsTold
from aicompany.errors import UserError
from aicompany.ports.model import Model
from aicompany.spec.model import ModelSpec, Provider
from aicompany_workers.model.credentials import credentials_of


class ModelUnusable(UserError):
    """The company asks for a model that cannot be used here."""

    code = "model_unusable"


def select_model(
    spec: ModelSpec,
    environment: Mapping[str, str],
    *,
    limits_heard: Callable[[LimitsTold], None] = lambda _: None,
) -> Model:
    """The adapter that the spec and the environment call for.

    `limits_heard` is told what the service says of its rate limits. The Claude SDK is loaded only when there is a key:
    it costs 80 MiB. Raises `UserError` when Claude is asked for and there is no key.
    """
    credentials = None if spec.provider is Provider.OFFLINE else credentials_of(spec, environment)
    if credentials is not None:
        from aicompany_workers.model.anthropic import AnthropicModel  # noqa: PLC0415 - see above
        from aicompany_workers.model.prices import PriceTable  # noqa: PLC0415

        return AnthropicModel(credentials, PriceTable.load(), limits_heard=limits_heard)
    if spec.provider is Provider.ANTHROPIC:
        raise ModelUnusable(
            "spec.model.provider is anthropic but there is no key; set ANTHROPIC_API_KEY or spec.model.apiKeyFile, "
            "or choose provider: offline"
        )
    from aicompany_workers.model.offline import OfflineModel  # noqa: PLC0415

    return OfflineModel()
