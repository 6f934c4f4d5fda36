"""The ServiceAccount."""

from tests.unit.operator.builders.blueprints import blueprint_of

from aicompany_operator.builders.service_account import build_service_account


def test_the_account_has_a_name_and_no_token():
    account = build_service_account(blueprint_of())
    assert account["metadata"]["name"] == "acme-worker"
    assert account["automountServiceAccountToken"] is False
