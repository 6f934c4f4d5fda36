"""The company's file as pods read it, and which part of it concerns whom."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operator.builders.blueprints import (
    AGENTS,
    BLUEPRINTS,
    DESIGN,
    DIALOG,
    GROUPS,
    PM,
    QA,
    RESULT,
    TEXT,
    blueprint_of,
    everything_in,
    spec_of,
)

from aicompany.spec.company import AICompany, CompanySpec
from aicompany_desk.company_file import load_company
from aicompany_operator.builders.configuration import build_configuration, configuration_stamp, spec_for_pods
from aicompany_operator.names import GATEWAY

MANY = settings(max_examples=60)
PLACES = {"AICOMPANY_BROKER__URL": "amqp://u:p@h:5672/v", "AICOMPANY_STORE__URL": "postgresql://u:p@h/d"}


def file_of(blueprint):
    return build_configuration(blueprint)["data"]["company.yaml"]


def stamps_of(spec, **options):
    blueprint = blueprint_of(spec, **options)
    return {group: configuration_stamp(blueprint, group) for group in GROUPS}


def concerned(before, after):
    """The groups whose pods are replaced when one specification follows the other."""
    old, new = stamps_of(before), stamps_of(after)
    return {group for group in GROUPS if old[group] != new[group]}


def agents(**changes):
    """The usual agents with changes to some, by name."""
    return [agent | changes.get(agent["name"], {}) for agent in AGENTS]


# --- the file


@MANY
@given(blueprint=BLUEPRINTS)
def test_every_file_can_be_loaded_and_says_what_the_resource_says(blueprint, tmp_path_factory):
    place = tmp_path_factory.mktemp("pod") / "company.yaml"
    place.write_text(file_of(blueprint), encoding="utf-8")
    company = load_company(place, PLACES)
    assert company.metadata.name == blueprint.company.name
    elsewhere = {"model", "gateway", "health", "broker", "store", "cache", "pods", "paused", "hibernated"}
    for section in set(CompanySpec.model_fields) - elsewhere:
        assert getattr(company.spec, section) == getattr(blueprint.spec, section), section
    key = {"api_key_file", "api_key_secret"}
    assert company.spec.model.model_dump(exclude=key) == blueprint.spec.model.model_dump(exclude=key)


@pytest.mark.parametrize("text", ["a\x85b", "a\u2028b", "a\u2029", "\x85", "a\nb", "a\r\nb", "Grüße, 世界"])
def test_instructions_arrive_as_they_were_given(text):
    agents = [{"name": "writer", "instructions": text, "fallback": True}]
    document = yaml.safe_load(file_of(blueprint_of(spec_of(agents=agents))))
    assert document["spec"]["agents"][0]["instructions"] == text


def test_other_alphabets_stay_readable_in_the_file():
    agents = [{"name": "writer", "instructions": "世界", "fallback": True}]
    assert "世界" in file_of(blueprint_of(spec_of(agents=agents)))


def test_what_only_a_cluster_needs_is_left_out():
    spec = spec_of(
        pods={"image": "registry.example/mine:2", "nodeSelector": {"pool": "x"}},
        hibernated=True,
        paused=True,
        model={"apiKeySecret": {"name": "claude", "key": "key"}},
        gateway={"tokenSecret": {"name": "door", "key": "token"}},
        broker={"urlSecret": {"name": "rabbit", "key": "url"}},
        store={"urlSecret": {"name": "postgres", "key": "url"}},
        cache={"urlSecret": {"name": "redis", "key": "url"}},
    )
    document = yaml.safe_load(file_of(blueprint_of(spec)))
    assert not {"pods", "paused", "hibernated"} & document["spec"].keys()
    names = {place[-1] for place, _ in everything_in(document["spec"]) if place}
    assert not names & {"url", "urlSecret", "tokenSecret", "apiKeySecret"}


def test_a_file_has_the_places_of_a_pod_whatever_the_resource_says():
    spec = spec_of(
        model={"apiKeyFile": "/mine/key"},
        gateway={"host": "127.0.0.1", "port": 1, "tokenFile": "/mine/token"},
        health={"host": "127.0.0.1", "port": 2},
        store={"directory": "/mine"},
    )
    told = AICompany.model_validate(yaml.safe_load(file_of(blueprint_of(spec)))).spec
    assert (told.gateway.host, told.gateway.port) == ("0.0.0.0", 8700)
    assert (told.health.host, told.health.port) == ("0.0.0.0", 8000)
    assert told.gateway.token_file == "/etc/aicompany-secrets/token"
    assert told.model.api_key_file == "/etc/aicompany-secrets/api-key"
    assert told.store.directory == "/var/lib/aicompany"


def test_without_a_key_no_file_is_named_for_it():
    spec = spec_of(model={"apiKeyFile": "/mine/key"})
    assert "apiKeyFile" not in spec_for_pods(blueprint_of(spec, key=False))["model"]


def test_passwords_in_addresses_stay_out_of_the_file():
    spec = spec_of(
        broker={"url": "amqp://u:first-secret@h:5672/v"},
        store={"url": "postgresql://u:second-secret@h/d"},
        cache={"url": "redis://:third-secret@h:6379/0"},
    )
    assert "secret@" not in file_of(blueprint_of(spec))


def test_a_fixed_threshold_above_the_usual_end_stays_one():
    told = AICompany.model_validate(yaml.safe_load(file_of(blueprint_of(spec_of(scaling={"queuePerWorker": 20})))))
    assert told.spec.scaling.queue_per_worker == 20


# --- whom a change concerns

EVERYBODY = set(GROUPS)
ASKING = {PM, QA, DESIGN, DIALOG}
WORKERS = EVERYBODY - {GATEWAY}
# What each process reads: the composition of workers, the roles, the gateway's routes, the assembly that all share.
CHANGES = [
    ("workers", {"pm": {"min": 2, "concurrency": 64}}, set()),
    ("workers", {"task": {"min": 0, "max": 9, "concurrency": 64}}, set()),
    ("workers", {"pm": {"concurrency": 7}}, {PM}),
    ("workers", {"result": {"concurrency": 7}}, {RESULT}),
    ("workers", {"dialog": {"concurrency": 7}}, {DIALOG}),
    ("workers", {"task": {"concurrency": 7}}, {QA, DESIGN}),
    ("workers", {"drainSeconds": 7}, EVERYBODY),
    ("workers", {"lowShare": 7}, EVERYBODY),
    ("agents", agents(qa={"workers": {"min": 3, "max": 7, "concurrency": 64}}), set()),
    ("agents", agents(qa={"workers": {"concurrency": 7}}), {QA}),
    ("agents", agents(qa={"instructions": "Test twice."}), {QA}),
    ("agents", agents(qa={"model": "claude-haiku-5"}), {QA}),
    ("agents", agents(design={"specialities": ["type"]}), {PM, DESIGN}),
    ("agents", agents(design={"fallback": True}, qa={"fallback": False}), EVERYBODY),
    ("agents", [*AGENTS, {"name": "infra"}], EVERYBODY),
    ("model", {"name": "claude-haiku-5"}, ASKING | {GATEWAY}),
    ("model", {"provider": "offline"}, ASKING),
    ("model", {"baseUrl": "https://model.example"}, ASKING),
    ("model", {"maxTokens": 7}, ASKING),
    ("model", {"timeoutSeconds": 7}, ASKING),
    ("model", {"toolRoundsMax": 7}, ASKING),
    ("model", {"concurrency": 7}, ASKING),
    ("planning", {"stepsMax": 7}, {PM, GATEWAY}),
    ("planning", {"parallelMax": 7}, {PM, GATEWAY}),
    ("gateway", {"requestBytesMax": 2048}, {GATEWAY}),
    ("gateway", {"port": 9, "host": "::1", "tokenFile": "/mine"}, set()),
    ("health", {"port": 9, "host": "::1"}, set()),
    ("scaling", {"cooldownSeconds": 7}, set()),
    ("orders", {"deadlineSeconds": 7}, EVERYBODY),
    ("queues", {"lengthMax": 7}, EVERYBODY),
    ("queues", {"deliveriesMax": 7}, EVERYBODY),
    ("retry", {"attemptsMax": 7}, EVERYBODY),
    ("breakers", {"broker": {"failuresMax": 7}}, EVERYBODY),
    ("limits", {"requestsPerMinute": 7}, EVERYBODY),
    ("overload", {"smallerModel": "claude-haiku-5"}, EVERYBODY),
    ("broker", {"confirmsMax": 7}, EVERYBODY),
    ("broker", {"url": "amqp://u:p@elsewhere:5672/v"}, set()),
    ("store", {"batchMax": 7}, EVERYBODY),
    ("cache", {"ttlSeconds": 7}, EVERYBODY),
    ("logging", {"level": "debug"}, EVERYBODY),
    ("paused", True, set()),
    ("hibernated", True, set()),
    ("pods", {"worker": {"cpuLimit": "2"}}, set()),
]


@pytest.mark.parametrize(("section", "change", "whom"), CHANGES, ids=[f"{s}-{c}" for s, c, _ in CHANGES])
def test_a_change_concerns(section, change, whom):
    assert concerned(spec_of(), spec_of(**{section: change})) == whom


def test_the_table_of_changes_is_whole():
    assert {section for section, _, _ in CHANGES} == {
        field.alias or name for name, field in CompanySpec.model_fields.items()
    }


@given(TEXT, TEXT)
def test_another_agents_words_never_concern_a_group(before, after):
    old = spec_of(agents=agents(design={"instructions": before, "model": "one", "specialities": [before]}))
    new = spec_of(agents=agents(design={"instructions": after, "model": "two", "specialities": [after]}))
    assert not concerned(old, new) & (EVERYBODY - {DESIGN, PM})


@given(TEXT, TEXT)
def test_an_agents_own_words_always_concern_it(before, after):
    old = spec_of(agents=agents(design={"instructions": before}))
    new = spec_of(agents=agents(design={"instructions": after}))
    assert concerned(old, new) == ({DESIGN} if before != after else set())


@given(st.integers(0, 100), st.integers(1, 100))
def test_scaling_never_concerns_anybody(least, more):
    numbers = {"min": least, "max": min(100, least + more)}
    roles = {role: numbers | {"concurrency": 64} for role in ("pm", "task", "result")}
    roles["dialog"] = numbers | {"concurrency": 16}
    assert concerned(spec_of(), spec_of(workers=roles)) == set()


def test_a_stamp_is_short_and_the_same_in_every_process():
    assert {len(stamp) for stamp in stamps_of(spec_of()).values()} == {16}
    assert len({*stamps_of(spec_of()).values()}) == len(GROUPS)
    assert stamps_of(spec_of()) == stamps_of(CompanySpec.model_validate(spec_of().model_dump(by_alias=True)))


def test_a_key_that_appears_concerns_those_who_ask():
    with_key, without = stamps_of(spec_of(), key=True), stamps_of(spec_of(), key=False)
    assert {group for group in GROUPS if with_key[group] != without[group]} == ASKING
