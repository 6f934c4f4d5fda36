"""What all pods have in common, and what their processes find."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operator.builders.blueprints import (
    API_KEY,
    BLUEPRINTS,
    BROKER_URL,
    CACHE_URL,
    DESIGN,
    DIALOG,
    GROUPS,
    PM,
    QA,
    REF,
    RESULT,
    STORE_URL,
    TOKEN,
    VALUES,
    blueprint_of,
    container_of,
    pod_of,
    pods_of,
    spec_of,
    start,
)
from tests.unit.operator.builders.pod_security import violations

from aicompany.spec.model import Provider
from aicompany_desk.gateway.token import token_of
from aicompany_desk.processes.needs import need_servers
from aicompany_operator.builders.deployment import build_deployment
from aicompany_operator.builders.metadata import selector_of
from aicompany_operator.names import GATEWAY, STAMP_CONFIGURATION, STAMP_CREDENTIALS, CompanyRef
from aicompany_workers.model.credentials import credentials_of
from aicompany_workers.model.select import ModelUnusable, select_model

ASKING = (PM, QA, DESIGN, DIALOG)
SILENT = (RESULT, GATEWAY)
every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


# --- security


@settings(max_examples=60)
@given(BLUEPRINTS)
def test_every_pod_satisfies_the_restricted_standard(blueprint):
    for name, template in pods_of(blueprint).items():
        assert list(violations(template)) == [], name


def _without(template, *place):
    *path, last = place
    part = template
    for step in path:
        part = part[step]
    del part[last]


@pytest.mark.parametrize(
    "place",
    [
        ("spec", "securityContext", "runAsNonRoot"),
        ("spec", "securityContext", "seccompProfile"),
        ("spec", "containers", 0, "securityContext", "allowPrivilegeEscalation"),
        ("spec", "containers", 0, "securityContext", "capabilities"),
    ],
    ids=lambda place: place[-1],
)
def test_the_check_of_the_standard_finds_what_is_missing(place):
    template = pod_of(blueprint_of(), PM)
    _without(template, *place)
    assert len(list(violations(template))) == 1


def test_the_check_of_the_standard_finds_what_may_not_be():
    template = pod_of(blueprint_of(), PM)
    template["spec"] |= {"hostNetwork": True}
    template["spec"]["volumes"].append({"name": "host", "hostPath": {"path": "/"}})
    template["spec"]["securityContext"]["runAsUser"] = 0
    template["spec"]["containers"][0]["securityContext"]["privileged"] = True
    template["spec"]["containers"][0]["ports"][0]["hostPort"] = 80
    assert len(list(violations(template))) == 5


@every_group
def test_a_pod_has_no_way_to_the_api_server_and_a_root_it_cannot_write(group):
    spec = pod_of(blueprint_of(), group)["spec"]
    assert spec["serviceAccountName"] == "acme-worker"
    assert spec["automountServiceAccountToken"] is False
    # AICOMPANY_… variables of Services would be read as overrides of the file, and refused.
    assert spec["enableServiceLinks"] is False
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {spec["securityContext"][who] for who in ("runAsUser", "runAsGroup", "fsGroup")} == {10001}


@every_group
def test_what_a_pod_writes_is_bounded(group):
    spec = pod_of(blueprint_of(), group)["spec"]
    kept = {volume["name"]: volume["emptyDir"] for volume in spec["volumes"] if "emptyDir" in volume}
    mounts = {mount["mountPath"]: mount for mount in spec["containers"][0]["volumeMounts"]}
    assert {mounts[place]["name"] for place in ("/var/lib/aicompany", "/tmp")} == set(kept)
    assert all(directory["sizeLimit"] for directory in kept.values())
    assert {mount["name"] for mount in mounts.values() if not mount.get("readOnly")} == set(kept)


@every_group
def test_every_mount_has_its_volume_and_none_lies_in_another(group):
    spec = pod_of(blueprint_of(), group)["spec"]
    mounts = spec["containers"][0]["volumeMounts"]
    assert {mount["name"] for mount in mounts} == {volume["name"] for volume in spec["volumes"]}
    places = [mount["mountPath"] for mount in mounts]
    # A folder for a mount cannot be made in a volume that is read only.
    assert not [(one, other) for one in places for other in places if other.startswith(f"{one}/")]


# --- secrets


@every_group
def test_only_who_needs_a_secret_has_it(group):
    spec = pod_of(blueprint_of(), group)["spec"]
    files = {
        (source["secret"]["name"], item["key"])
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
        for item in source["secret"]["items"]
    }
    wanted = {API_KEY} if group in ASKING else {TOKEN} if group == GATEWAY else set()
    assert files == {(secret.name, secret.key) for secret in wanted}
    references = {
        entry["name"]: entry["valueFrom"]["secretKeyRef"]
        for entry in spec["containers"][0]["env"]
        if "valueFrom" in entry
    }
    assert references == {
        "AICOMPANY_BROKER__URL": BROKER_URL.model_dump(),
        "AICOMPANY_STORE__URL": STORE_URL.model_dump(),
        "AICOMPANY_CACHE__URL": CACHE_URL.model_dump(),
    }


def test_secrets_are_files_for_the_pods_group_alone():
    (volume,) = [v for v in pod_of(blueprint_of(), GATEWAY)["spec"]["volumes"] if "projected" in v]
    assert volume["projected"]["defaultMode"] == 0o440


def test_without_cache_and_key_a_pod_asks_for_neither():
    blueprint = blueprint_of(cache=False, key=False)
    assert [entry["name"] for entry in container_of(blueprint, PM)["env"]] == [
        "AICOMPANY_BROKER__URL",
        "AICOMPANY_STORE__URL",
    ]
    assert not [volume for volume in pod_of(blueprint, PM)["spec"]["volumes"] if "projected" in volume]


# --- what the process finds when it starts


@every_group
@pytest.mark.parametrize("provider", ["auto", "anthropic"])
def test_a_process_starts_with_the_file_and_the_secrets_it_is_given(group, provider, tmp_path):
    found = start(blueprint_of(spec_of(model={"provider": provider})), group, tmp_path)
    spec = found.company.spec
    need_servers(spec)
    assert (spec.broker.url, spec.store.url) == (VALUES[BROKER_URL], VALUES[STORE_URL])
    assert spec.cache.url == VALUES[CACHE_URL]
    if group in ASKING:
        assert credentials_of(spec.model, found.environment).api_key == VALUES[API_KEY]
    else:
        # Every process chooses its model when it starts; one without the key must not look for it.
        assert select_model(spec.model, found.environment).is_offline
    if group == GATEWAY:
        assert token_of(spec.gateway, found.environment) == VALUES[TOKEN]


@pytest.mark.parametrize("group", SILENT, ids=str)
def test_without_a_key_who_does_not_ask_starts_all_the_same(group, tmp_path):
    found = start(blueprint_of(spec_of(model={"provider": "anthropic"}), key=False), group, tmp_path)
    assert select_model(found.company.spec.model, found.environment).is_offline


def test_without_a_key_who_has_to_ask_claude_says_so(tmp_path):
    found = start(blueprint_of(spec_of(model={"provider": "anthropic"}), key=False), PM, tmp_path)
    with pytest.raises(ModelUnusable):
        select_model(found.company.spec.model, found.environment)


@pytest.mark.parametrize("group", ASKING, ids=str)
def test_who_asks_asks_whom_the_company_says(group, tmp_path):
    found = start(blueprint_of(spec_of(model={"provider": "offline"})), group, tmp_path)
    assert found.company.spec.model.provider is Provider.OFFLINE


# --- stamps


def stamps_of(blueprint, group):
    return pod_of(blueprint, group)["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("secret", "whom"),
    [
        (BROKER_URL, set(GROUPS)),
        (STORE_URL, set(GROUPS)),
        (CACHE_URL, set(GROUPS)),
        (TOKEN, {GATEWAY}),
        (API_KEY, set(ASKING)),
    ],
    ids=["broker", "store", "cache", "token", "key"],
)
def test_a_secret_that_changes_replaces_the_pods_that_use_it(secret, whom):
    before, after = blueprint_of(), blueprint_of(credentials={secret: "another stamp"})
    changed = {group for group in GROUPS if stamps_of(before, group) != stamps_of(after, group)}
    assert changed == whom


@every_group
def test_stamps_show_no_secret(group):
    stamps = stamps_of(blueprint_of(), group)
    assert set(stamps) == {STAMP_CONFIGURATION, STAMP_CREDENTIALS}
    assert all(len(stamp) == 16 for stamp in stamps.values())


def test_a_secret_that_nobody_has_seen_yet_has_a_stamp_too():
    seen = blueprint_of()
    unseen = blueprint_of(credentials=dict.fromkeys(VALUES, ""))
    assert stamps_of(seen, PM)[STAMP_CREDENTIALS] != stamps_of(unseen, PM)[STAMP_CREDENTIALS]


# --- the rest


@given(st.floats(0, 3600))
def test_a_pod_has_time_to_drain(seconds):
    spec = pod_of(blueprint_of(spec_of(workers={"drainSeconds": seconds})), PM)["spec"]
    assert spec["terminationGracePeriodSeconds"] == math.ceil(seconds) + 30


@pytest.mark.parametrize(("group", "section"), [(PM, "worker"), (QA, "worker"), (GATEWAY, "gateway")], ids=str)
def test_resources_are_the_specifications_in_the_api_servers_words(group, section):
    compute = {"cpuRequest": "1000m", "cpuLimit": "2.5", "memoryRequest": "1024Mi", "memoryLimit": "0.5Gi"}
    assert container_of(blueprint_of(spec_of(pods={section: compute})), group)["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"cpu": "2500m", "memory": "512Mi"},
    }


@every_group
def test_where_pods_go_and_whence_they_come_is_the_specifications(group):
    pods = {
        "pullPolicy": "Always",
        "pullSecrets": ["registry", "registry", "mirror"],
        "nodeSelector": {"pool": "workers"},
        "tolerations": [
            {"key": "dedicated", "value": "acme", "effect": "NoSchedule"},
            {"operator": "Exists"},
            {"key": "spot", "value": ""},
        ],
    }
    spec = pod_of(blueprint_of(spec_of(pods=pods), image="registry.example/mine:2"), group)["spec"]
    assert spec["containers"][0]["image"] == "registry.example/mine:2"
    assert spec["containers"][0]["imagePullPolicy"] == "Always"
    # The list is one by name for the API server: a name that stands there twice is refused.
    assert spec["imagePullSecrets"] == [{"name": "registry"}, {"name": "mirror"}]
    assert spec["nodeSelector"] == {"pool": "workers"}
    assert spec["tolerations"] == [
        {"key": "dedicated", "operator": "Equal", "value": "acme", "effect": "NoSchedule"},
        {"operator": "Exists"},
        {"key": "spot", "operator": "Equal"},
    ]


@every_group
def test_pods_of_a_role_prefer_different_nodes(group):
    template = pod_of(blueprint_of(), group)
    (spread,) = template["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    assert spread["labelSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


@every_group
def test_probes_ask_the_one_port_that_is_named(group):
    container = container_of(blueprint_of(), group)
    (port,) = container["ports"]
    assert (port["name"], port["containerPort"]) == (("http", 8700) if group == GATEWAY else ("health", 8000))
    paths = {}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]
        paths[probe] = container[probe]["httpGet"]["path"]
    assert paths == {"startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/ready"}
    assert container["startupProbe"]["periodSeconds"] == 1
    assert container["startupProbe"]["failureThreshold"] >= 60


@every_group
def test_the_longest_names_change_nothing_else(group):
    ref = CompanyRef("offices", "a" * 53, REF.uid)
    short, long = (build_deployment(blueprint_of(ref=ref), group)["spec"] for ref in (REF, ref))
    assert short["template"]["spec"]["containers"] == long["template"]["spec"]["containers"]
    assert selector_of(ref, group) == long["selector"]["matchLabels"]
