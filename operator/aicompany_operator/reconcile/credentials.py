"""The company's secret values: found in Secrets, or made, together with the places on the servers they open."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aicompany.spec.company import CompanySpec
from aicompany.spec.model import Provider
from aicompany.spec.secret_key import SecretKey
from aicompany_operator.builders.blueprint import Manifest, Ports, Sources
from aicompany_operator.builders.credentials import (
    BROKER_PASSWORD,
    BROKER_URL,
    CACHE_URL,
    STORE_PASSWORD,
    STORE_URL,
    TOKEN,
    credentials_name,
    values_of,
)
from aicompany_operator.kubernetes_api.resources import SECRET
from aicompany_operator.names import GROUP, KIND, CompanyRef, database_name, server_name
from aicompany_operator.observed.child import controller_of
from aicompany_operator.observed.seen import KeyState, Reason, Trouble
from aicompany_operator.reconcile.memory import CheckedKey, Memory
from aicompany_operator.reconcile.places import Places
from aicompany_operator.reconcile.tools import Tools
from aicompany_operator.servers.errors import ServerRefused, ServerUnreachable
from aicompany_operator.servers.owners import PlaceTaken

_ACCEPTED_SECONDS = 300.0
_OTHERWISE_SECONDS = 15.0
"""Until a key is shown to the model's service again."""

_PORTS = {
    "amqp": 5672, "amqps": 5671, "postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379,
    "https": 443, "http": 80,
}  # fmt: skip
_REFUSED = "refused"
"""An entry that the company's own Secret never has: a pod that asks for it is not started."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What was found."""

    sources: Sources
    ports: Ports
    own: Mapping[str, str] = field(repr=False)
    """What the company's own Secret should hold."""
    stamps: Mapping[SecretKey, str]
    key: KeyState
    troubles: tuple[Trouble, ...]
    broker: str
    store: str


@dataclass(frozen=True, slots=True)
class _Server:
    """A server of the company: how it is named, and what goes wrong with it."""

    name: str
    url: str | None
    url_secret: SecretKey | None
    entry: str
    password_entry: str
    places: Places | None
    place_name: str
    missing: Reason
    unreachable: Reason
    refuses: Reason


class CredentialsKeeper:
    """Collects the secret values of one company; one use, one reconcile."""

    def __init__(self, company: CompanyRef, spec: CompanySpec, tools: Tools, memory: Memory) -> None:
        self._company = company
        self._spec = spec
        self._tools = tools
        self._memory = memory
        self._own_name = credentials_name(company)
        self._own: dict[str, str] = {}
        self._stamps: dict[SecretKey, str] = {}
        self._troubles: list[Trouble] = []
        self._is_taken = False
        """Whether the Secret of the company's name is somebody else's."""
        self._refused: set[str] = set()
        """Names of Secrets that are another company's."""

    async def collect(self, *, may_act: bool) -> Credentials:
        """Find or make everything. Raises `ApiUnavailable`, `ApiRefused`; all else becomes a trouble.

        `may_act` false: nothing is made on any server (the company is paused).
        """
        before = await self._own_values()
        # A password that cannot be kept would be another one at every look.
        may_act = may_act and not self._is_taken
        self._own[TOKEN] = before.get(TOKEN) or self._tools.draw_password()
        broker, store = self._servers()
        broker_key, broker_url = await self._server(broker, before, may_act=may_act)
        store_key, store_url = await self._server(store, before, may_act=may_act)
        cache_key, cache_url = await self._cache()
        api_key = self._spec.model.api_key_secret
        key = await self._model_key()
        token = self._spec.gateway.token_secret
        if token is not None:
            await self._value(token, "spec.gateway.tokenSecret")
        own_token = self._own_key(TOKEN, self._own[TOKEN])
        return Credentials(
            sources=Sources(
                self._usable(broker_key),
                self._usable(store_key),
                self._usable(token or own_token),
                self._usable(cache_key) if cache_key else None,
                self._usable(api_key) if api_key else None,
            ),
            ports=Ports(
                _port(broker_url, 5672),
                _port(store_url, 5432),
                _port(cache_url, 6379) if cache_key else None,
                _port(self._spec.model.base_url, 443),
            ),
            own=self._own,
            stamps=self._stamps,
            key=key,
            troubles=tuple(self._troubles),
            broker=_place_told(broker),
            store=_place_told(store),
        )

    def _servers(self) -> tuple[_Server, _Server]:
        spec, tools = self._spec, self._tools
        broker = _Server(
            "broker", spec.broker.url, spec.broker.url_secret, BROKER_URL, BROKER_PASSWORD, tools.places.get("broker"),
            server_name(self._company), Reason.BROKER_MISSING, Reason.BROKER_UNREACHABLE, Reason.BROKER_REFUSES,
        )  # fmt: skip
        store = _Server(
            "store", spec.store.url, spec.store.url_secret, STORE_URL, STORE_PASSWORD, tools.places.get("store"),
            database_name(self._company), Reason.STORE_MISSING, Reason.STORE_UNREACHABLE, Reason.STORE_REFUSES,
        )  # fmt: skip
        return broker, store

    async def _own_values(self) -> Mapping[str, str]:
        secret = await self._tools.api.get(SECRET, self._company.namespace, self._own_name)
        if secret is None:
            return {}
        if controller_of(secret) != self._company.uid:
            self._is_taken = True
            self._trouble(
                Reason.NAME_TAKEN,
                f"Secret {self._own_name} is there and not this company's; delete it, or name the company otherwise",
            )
            return {}
        return values_of(secret)

    async def _server(
        self, server: _Server, before: Mapping[str, str], *, may_act: bool
    ) -> tuple[SecretKey, str | None]:
        """Where the server's address is kept, and the address."""
        if server.url_secret is not None:
            url = await self._value(server.url_secret, f"spec.{server.name}.urlSecret")
            if url is not None:
                await self._reach(server, url)
            return server.url_secret, url
        if server.url is not None:
            await self._reach(server, server.url)
            return self._keep(server.entry, server.url), server.url
        if server.places is None:
            self._trouble(
                server.missing,
                f"the operator has no {server.name} of its own; name one with spec.{server.name}.urlSecret",
            )
            return SecretKey(name=self._own_name, key=server.entry), None
        url = await self._place(server, server.places, before, may_act=may_act)
        return self._own_key(server.entry, url), url

    async def _place(self, server: _Server, places: Places, before: Mapping[str, str], *, may_act: bool) -> str | None:
        password = before.get(server.password_entry) or self._tools.draw_password()
        self._own[server.password_entry] = password
        known = before.get(server.entry)
        stamp = _stamp(password)
        is_made = self._memory.places.get(server.name) == stamp and self._memory.was_well and known is not None
        may_rest = is_made or not may_act
        url = known if may_rest else await self._ensured(server, places, password) or known
        if url is not None:
            self._own[server.entry] = url
        return url

    async def _ensured(self, server: _Server, places: Places, password: str) -> str | None:
        try:
            if server.name not in self._memory.places:
                await self._tools.leftovers.clear(self._company)
            url = await places.ensure(self._company, password)
        except ServerUnreachable as error:
            self._trouble(server.unreachable, str(error))
        except PlaceTaken as error:
            self._trouble(Reason.NAME_TAKEN, str(error))
        except ServerRefused as error:
            self._trouble(server.refuses, str(error))
        else:
            self._memory.places[server.name] = _stamp(password)
            return url
        return None

    async def _cache(self) -> tuple[SecretKey | None, str | None]:
        cache = self._spec.cache
        if cache.url_secret is not None:
            return cache.url_secret, await self._value(cache.url_secret, "spec.cache.urlSecret")
        if cache.url is not None:
            return self._keep(CACHE_URL, cache.url), cache.url
        return None, None

    async def _reach(self, server: _Server, url: str) -> None:
        try:
            await self._tools.reach(url)
        except ServerUnreachable as error:
            self._trouble(server.unreachable, f"spec.{server.name}: {error}")

    async def _model_key(self) -> KeyState:
        model = self._spec.model
        if model.provider is Provider.OFFLINE and model.api_key_secret is not None:
            # Pods are given it all the same, so it must be there and be the company's to use.
            await self._value(model.api_key_secret, "spec.model.apiKeySecret")
        if model.provider is Provider.OFFLINE or (model.provider is Provider.AUTO and model.api_key_secret is None):
            return KeyState.NOT_NEEDED
        if model.api_key_secret is None:
            self._trouble(
                Reason.SECRET_MISSING,
                "spec.model.provider is anthropic, but spec.model.apiKeySecret names no Secret with the key",
            )
            return KeyState.UNCHECKED
        key = await self._value(model.api_key_secret, "spec.model.apiKeySecret")
        if key is None:
            return KeyState.UNCHECKED
        return await self._checked(model.base_url, key.strip())

    async def _checked(self, base_url: str | None, key: str) -> KeyState:
        stamp, now, last = _stamp(f"{base_url} {key}"), self._tools.monotonic(), self._memory.key
        if last is not None and last.stamp == stamp:
            good_for = _ACCEPTED_SECONDS if last.state is KeyState.ACCEPTED else _OTHERWISE_SECONDS
            if now - last.at < good_for:
                return last.state
        state = await self._tools.check_key(base_url, key)
        if state is KeyState.UNCHECKED and last is not None and last.stamp == stamp:
            # What was known holds until the service says otherwise.
            state = last.state
        self._memory.key = CheckedKey(stamp, state, now)
        return state

    async def _value(self, source: SecretKey, place: str) -> str | None:
        """The value of somebody's Secret; without one a trouble and `None`."""
        values = await self._values(source.name, place)
        if values is None:
            return None
        value = values.get(source.key, "")
        if not value.strip():
            self._trouble(
                Reason.SECRET_MISSING, f"{place}: Secret {source.name} has no entry {source.key}, or an empty one"
            )
            return None
        self._stamps[source] = _stamp(value)
        return value

    async def _values(self, name: str, place: str) -> Mapping[str, str] | None:
        """All values of somebody's Secret; `None`, and a trouble, without one that the company may use.

        `place` is where the specification names it. Raises `ApiUnavailable`, `ApiRefused`.
        """
        key = (self._company.namespace, name)
        version = self._tools.watched.secret_version(*key)
        known = self._memory.values.get(key)
        # Another owner would be another version.
        if known is not None and version is not None and known[0] == version:
            return known[1]
        secret = await self._tools.api.get(SECRET, *key)
        if secret is None or self._is_refused(secret, place):
            self._memory.values.pop(key, None)
            if secret is None:
                self._trouble(Reason.SECRET_MISSING, f"{place}: there is no Secret {name}; create it")
            return None
        values = values_of(secret)
        self._memory.values[key] = (secret["metadata"]["resourceVersion"], values)
        return values

    def _is_refused(self, secret: Manifest, place: str) -> bool:
        """Whether the Secret is another company's, which is a trouble: its values open that company's places."""
        owner, name = _other_company(secret, self._company.uid), secret["metadata"]["name"]
        if owner is None:
            return False
        self._refused.add(name)
        self._trouble(
            Reason.SECRET_MISSING,
            f"{place}: Secret {name} is that of AICompany {owner} and serves no other; create a Secret for this "
            "company and name that one",
        )
        return True

    def _usable(self, source: SecretKey) -> SecretKey:
        """The entry, unless it is another company's: Deployments that are there are applied whatever the trouble."""
        return SecretKey(name=self._own_name, key=_REFUSED) if source.name in self._refused else source

    def _keep(self, entry: str, value: str) -> SecretKey:
        self._own[entry] = value
        return self._own_key(entry, value)

    def _own_key(self, entry: str, value: str | None) -> SecretKey:
        key = SecretKey(name=self._own_name, key=entry)
        if value is not None:
            self._stamps[key] = _stamp(value)
        return key

    def _trouble(self, reason: Reason, message: str) -> None:
        self._troubles.append(Trouble(reason, message))


def _stamp(value: str) -> str:
    """Changes with the value and does not tell it."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def _other_company(secret: Manifest, uid: str) -> str | None:
    """The name of the company that controls the Secret; `None` when it is the one with this uid, or none."""
    for owner in secret["metadata"].get("ownerReferences", ()):
        is_company = owner["kind"] == KIND and owner["apiVersion"].partition("/")[0] == GROUP
        if owner.get("controller") and is_company and owner["uid"] != uid:
            name: str = owner["name"]
            return name
    return None


def _port(url: str | None, default: int) -> int:
    """The address's port, of several hosts the first one's; the default when it cannot be told."""
    if url is None:
        return default
    try:
        parts = urlsplit(url.strip())
        first = parts.netloc.rpartition("@")[2].split(",")[0]
        return urlsplit(f"//{first}").port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return default


def _place_told(server: _Server) -> str:
    is_external = server.url is not None or server.url_secret is not None
    return "external" if is_external or server.places is None else server.place_name
