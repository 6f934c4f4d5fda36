"""Companies to build, and what their pods would find when they start."""

import json
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from aicompany.ports.cluster import WorkerGroup, groups_of_company
from aicompany.spec.company import AICompany, CompanySpec
from aicompany.spec.secret_key import SecretKey
from aicompany_desk.company_file import load_company
from aicompany_operator.builders.blueprint import Blueprint, Ports, Sources
from aicompany_operator.builders.company import build_all
from aicompany_operator.builders.configuration import build_configuration
from aicompany_operator.builders.deployment import build_deployment
from aicompany_operator.names import GATEWAY, CompanyRef

REF = CompanyRef("offices", "acme", "0b8d7c1e-5f0a-4a55-9f6d-0f9a3d6c2b11")
PM, RESULT, DIALOG = WorkerGroup("pm"), WorkerGroup("result"), WorkerGroup("dialog")
QA, DESIGN = WorkerGroup("task", "qa"), WorkerGroup("task", "design")
GROUPS = (PM, RESULT, DIALOG, QA, DESIGN, GATEWAY)
AGENTS = [
    {"name": "design", "specialities": ["layout", "colour"], "instructions": "Draw.", "model": "claude-opus-5"},
    {"name": "qa", "specialities": ["testing"], "instructions": "Test.", "fallback": True},
]

BROKER_URL = SecretKey(name="acme-credentials", key="broker-url")
STORE_URL = SecretKey(name="acme-credentials", key="store-url")
CACHE_URL = SecretKey(name="redis", key="address")
TOKEN = SecretKey(name="acme-credentials", key="token")
API_KEY = SecretKey(name="claude", key="key")
VALUES = {
    BROKER_URL: "amqp://acme:broker-password@rabbit:5672/acme",
    STORE_URL: "postgresql://acme:store-password@postgres:5432/acme",
    CACHE_URL: "redis://:cache-password@valkey:6379/0",
    TOKEN: "gateway-token",
    API_KEY: "sk-of-acme",
}


def spec_of(**sections):
    return CompanySpec.model_validate({"agents": AGENTS, **sections})


def blueprint_of(
    spec=None,
    *,
    ref=REF,
    image="registry.example/aicompany-worker:1",
    cache=True,
    key=True,
    replicas=None,
    credentials=None,
):
    spec = spec_of() if spec is None else spec
    wanted = {group: worker.min for group, worker in groups_of_company(spec).items()} | {GATEWAY: 1}
    stamps = {source: f"stamp of {value}" for source, value in VALUES.items()}
    return Blueprint(
        company=ref,
        spec=spec,
        image=image,
        sources=Sources(BROKER_URL, STORE_URL, TOKEN, CACHE_URL if cache else None, API_KEY if key else None),
        ports=Ports(broker=5672, store=5432, cache=6379 if cache else None, model=443),
        replicas=wanted if replicas is None else dict.fromkeys(wanted, replicas),
        credentials=stamps | (credentials or {}),
    )


def pod_of(blueprint, group):
    return build_deployment(blueprint, group)["spec"]["template"]


def container_of(blueprint, group):
    (container,) = pod_of(blueprint, group)["spec"]["containers"]
    return container


def of_kind(manifests, kind):
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def pods_of(blueprint):
    """Group's Deployment name → pod template."""
    return {d["metadata"]["name"]: d["spec"]["template"] for d in of_kind(build_all(blueprint), "Deployment")}


def everything_in(value, place=()):
    """Every value with its place, from the outside in."""
    yield place, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from everything_in(part, (*place, name))


@dataclass(frozen=True, slots=True)
class Started:
    """What a container finds when it starts: its files lie under a folder of the test."""

    company: AICompany
    environment: dict[str, str]
    arguments: list[str]


def start(blueprint, group, root: Path) -> Started:
    """Mount the pod's files under `root`, resolve its environment, load its company's file, as a kubelet would."""
    pod = pod_of(blueprint, group)["spec"]
    container = container_of(blueprint, group)
    mounts = {mount["name"]: root / mount["mountPath"].removeprefix("/") for mount in container["volumeMounts"]}
    files = build_configuration(blueprint)["data"]
    for volume in pod["volumes"]:
        place = mounts[volume["name"]]
        place.mkdir(parents=True)
        for item in volume.get("configMap", {}).get("items", ()):
            (place / item["path"]).write_text(files[item["key"]], encoding="utf-8")
        for source in volume.get("projected", {}).get("sources", ()):
            for item in source["secret"]["items"]:
                value = VALUES[SecretKey(name=source["secret"]["name"], key=item["key"])]
                (place / item["path"]).write_text(value, encoding="utf-8")
    environment = {entry["name"]: _value_of(entry) for entry in container["env"]}
    place = root / container["args"][-1].removeprefix("/")
    # Only here the root of all files is not `/`.
    text = place.read_text(encoding="utf-8").replace("/etc/aicompany", f"{root}/etc/aicompany")
    place.write_text(text, encoding="utf-8")
    return Started(load_company(place, environment), environment, container["args"])


def _value_of(entry):
    if "value" in entry:
        return entry["value"]
    reference = entry["valueFrom"]["secretKeyRef"]
    return VALUES[SecretKey(name=reference["name"], key=reference["key"])]


# --- companies of all sorts

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
COMPANY_NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,51}[a-z0-9])?", fullmatch=True)
AGENT_NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?", fullmatch=True)
QUANTITIES = st.builds(
    "{}{}{}".format,
    st.integers(0, 5000),
    st.sampled_from(["", ".5", ".25", ".001"]),
    st.sampled_from(["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"]),
)
_COMPUTE = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("cpuRequest", "cpuLimit", "memoryRequest", "memoryLimit"), QUANTITIES)
)
_TOLERATIONS = st.one_of(
    st.fixed_dictionaries(
        {"operator": st.just("Exists")},
        optional={"key": st.just("dedicated"), "effect": st.sampled_from(["NoSchedule", "NoExecute"])},
    ),
    st.fixed_dictionaries(
        {"key": st.just("dedicated")}, optional={"value": st.sampled_from(["", "acme"]), "operator": st.just("Equal")}
    ),
)
_PODS = st.fixed_dictionaries(
    {},
    optional={
        "gateway": _COMPUTE,
        "worker": _COMPUTE,
        "pullPolicy": st.sampled_from(["Always", "IfNotPresent", "Never"]),
        "pullSecrets": st.lists(st.sampled_from(["one", "two"]), max_size=3),
        "nodeSelector": st.dictionaries(st.sampled_from(["pool", "zone"]), st.just("x")),
        "tolerations": st.lists(_TOLERATIONS, max_size=2),
        "networkPolicies": st.booleans(),
    },
)
_WORKER = st.fixed_dictionaries(
    {}, optional={"min": st.integers(0, 3), "max": st.integers(3, 9), "concurrency": st.integers(1, 1000)}
)


@st.composite
def agent_lists(draw):
    names = draw(st.lists(AGENT_NAMES, min_size=1, max_size=4, unique=True))
    fallback = draw(st.sampled_from(names))
    return [
        {
            "name": name,
            "fallback": name == fallback,
            "instructions": draw(TEXT),
            "specialities": draw(st.lists(TEXT, max_size=2)),
            **draw(st.fixed_dictionaries({}, optional={"model": st.just("claude-opus-5"), "workers": _WORKER})),
        }
        for name in names
    ]


SPECS = st.fixed_dictionaries(
    {"agents": agent_lists()},
    optional={
        "pods": _PODS,
        "workers": st.fixed_dictionaries(
            {}, optional={"pm": _WORKER, "task": _WORKER, "drainSeconds": st.floats(0, 3600)}
        ),
        "scaling": st.fixed_dictionaries({}, optional={"queuePerWorker": st.integers(1, 50)}),
        "model": st.fixed_dictionaries(
            {},
            optional={
                "provider": st.sampled_from(["auto", "anthropic", "offline"]),
                "apiKeySecret": st.just({"name": "claude", "key": "key"}),
                "name": TEXT.filter(bool),
            },
        ),
        "gateway": st.fixed_dictionaries({}, optional={"port": st.integers(0, 65535), "tokenFile": TEXT}),
        "broker": st.one_of(
            st.just({"url": "amqp://u:never-shown@h:5672/v"}), st.just({"urlSecret": {"name": "b", "key": "url"}})
        ),
        "store": st.just({"url": "postgresql://u:never-shown@h/d", "directory": "/elsewhere"}),
        "cache": st.just({"url": "redis://:never-shown@h:6379/0"}),
        "hibernated": st.booleans(),
    },
).map(CompanySpec.model_validate)
BLUEPRINTS = st.builds(
    blueprint_of,
    SPECS,
    ref=st.builds(CompanyRef, st.just("offices"), COMPANY_NAMES, st.just(REF.uid)),
    cache=st.booleans(),
    key=st.booleans(),
    replicas=st.none() | st.integers(0, 3),
)


def as_json(manifests):
    return json.loads(json.dumps(manifests))
