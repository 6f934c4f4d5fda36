"""Where the key comes from, and what is said when it cannot be used."""

import pytest

from aicompany.errors import UserError
from aicompany.spec.model import ModelSpec
from aicompany_workers.model.credentials import AddressUnusable, Credentials, KeyUnusable, credentials_of

KEY = "sk-ant-very-secret"


def spec(**fields):
    return ModelSpec.model_validate(fields)


def test_without_a_key_there_are_no_credentials():
    assert credentials_of(spec(), {"ANTHROPIC_BASE_URL": "https://proxy.example"}) is None


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_an_empty_variable_is_no_key(value):
    assert credentials_of(spec(), {"ANTHROPIC_API_KEY": value, "ANTHROPIC_AUTH_TOKEN": value}) is None


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"ANTHROPIC_API_KEY": f" {KEY}\n"}, Credentials(KEY, None, None)),
        ({"ANTHROPIC_AUTH_TOKEN": "a-token"}, Credentials(None, "a-token", None)),
        ({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_AUTH_TOKEN": "a-token"}, Credentials(KEY, None, None)),
        ({"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": "a-token"}, Credentials(None, "a-token", None)),
    ],
)
def test_the_environment_gives_one_of_key_and_token(environment, expected):
    assert credentials_of(spec(), environment) == expected


def test_a_named_file_goes_before_the_environment(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    environment = {"ANTHROPIC_API_KEY": "other", "ANTHROPIC_AUTH_TOKEN": "other"}
    assert credentials_of(spec(apiKeyFile=str(file)), environment) == Credentials(KEY, None, None)


def test_a_file_may_be_named_from_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text(KEY)
    assert credentials_of(spec(apiKeyFile="~/key"), {}) == Credentials(KEY, None, None)


def write_nothing(path):
    path.write_text(" \n")


def write_bytes(path):
    path.write_bytes(b"\xff\xfe\x00")


def make_directory(path):
    path.mkdir()


def write_two_lines(path):
    path.write_text(f"# my key\n{KEY}\n")


@pytest.mark.parametrize("make", [None, write_nothing, write_bytes, make_directory, write_two_lines])
def test_a_file_without_a_usable_key_is_named_and_its_content_is_not(tmp_path, make):
    file = tmp_path / "key"
    if make:
        make(file)
    with pytest.raises(KeyUnusable) as caught:
        credentials_of(spec(apiKeyFile=str(file)), {"ANTHROPIC_API_KEY": "not instead"})
    assert str(file) in caught.value.message
    assert "apiKeyFile" in caught.value.message
    assert KEY not in caught.value.message
    assert isinstance(caught.value, UserError)


@pytest.mark.parametrize("key", [f"{KEY}\n{KEY}", f"{KEY} {KEY}", "kéy", "a\x00b", "“sk-ant”"])
@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_a_key_that_no_request_can_carry_is_told_by_its_place_only(name, key):
    with pytest.raises(KeyUnusable, match=name) as caught:
        credentials_of(spec(), {name: key})
    assert key not in caught.value.message
    assert KEY not in caught.value.message


@pytest.mark.parametrize(
    ("base_url", "variable", "expected"),
    [
        (None, None, None),
        (None, "", None),
        (None, "https://proxy.example", "https://proxy.example"),
        ("http://mine.example", "https://proxy.example", "http://mine.example"),
    ],
)
def test_the_address_comes_from_the_company_then_from_the_environment(base_url, variable, expected):
    environment = {"ANTHROPIC_API_KEY": KEY}
    if variable is not None:
        environment["ANTHROPIC_BASE_URL"] = variable
    credentials = credentials_of(spec(baseUrl=base_url), environment)
    assert credentials
    assert credentials.base_url == expected


def test_an_address_that_is_none_is_told_at_once():
    with pytest.raises(AddressUnusable, match="ANTHROPIC_BASE_URL"):
        credentials_of(spec(), {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "proxy.example:8080"})


def test_neither_secret_shows():
    shown = repr(Credentials(KEY, "a-token", "https://proxy.example"))
    assert KEY not in shown
    assert "a-token" not in shown
    assert "proxy.example" in shown
