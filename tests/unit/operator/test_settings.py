"""The operator's environment: read once, every mistake told, no value repeated."""

import pytest

from aicompany_operator.settings import Settings, SettingsInvalid, settings_of

IMAGE = {"OPERATOR_WORKER_IMAGE": "worker:1"}


def test_only_the_image_must_be_given():
    assert settings_of(IMAGE) == Settings(worker_image="worker:1")


def test_each_field_has_its_variable():
    settings = settings_of(
        IMAGE | {"OPERATOR_WATCH_NAMESPACES": " a, b ,", "OPERATOR_LEASE_SECONDS": "30", "OPERATOR_PORT": "0"}
    )
    assert settings.watch_namespaces == ("a", "b")
    assert (settings.lease_seconds, settings.port) == (30, 0)


def test_other_variables_and_empty_ones_are_not_looked_at():
    given = IMAGE | {"PATH": "/bin", "AICOMPANY_PORT": "1", "OPERATOR_NAMESPACE": "", "OPERATOR_STORE_ADMIN_URL": ""}
    assert settings_of(given) == Settings(worker_image="worker:1")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OPERATOR_BROKER_ADMIN_URL", "amqp://admin:hidden@rabbit"),
        ("OPERATOR_STORE_ADMIN_URL", "mysql://admin:hidden@db"),
        ("OPERATOR_LEASE_SECONDS", "hidden"),
        ("OPERATOR_LEASE_SECONDS", "2.9"),
        ("OPERATOR_PORT", "65536"),
        ("OPERATOR_RECONCILES_MAX", "0"),
    ],
)
def test_a_mistake_is_told_by_the_variables_name_and_without_its_value(variable, value):
    with pytest.raises(SettingsInvalid, match=variable) as told:
        settings_of(IMAGE | {variable: value})
    assert value not in str(told.value)
    assert "hidden" not in str(told.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(SettingsInvalid) as told:
        settings_of({"OPERATOR_PORT": "door", "OPERATOR_WROKER_IMAGE": "hidden"})
    assert "OPERATOR_WROKER_IMAGE: there is no such setting" in str(told.value)
    assert "OPERATOR_WORKER_IMAGE" in str(told.value)
    assert "OPERATOR_PORT" in str(told.value)
    assert "hidden" not in str(told.value)


def test_administrators_passwords_are_not_shown():
    settings = settings_of(
        IMAGE
        | {
            "OPERATOR_BROKER_ADMIN_URL": "http://admin:hidden@rabbit:15672",
            "OPERATOR_STORE_ADMIN_URL": "postgresql://admin:hidden@db",
        }
    )
    assert "hidden" not in repr(settings)
