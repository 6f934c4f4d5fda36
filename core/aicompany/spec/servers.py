"""The servers of a company that is more than one process: broker, event store and cache.

None of them is needed on one machine: without an address the company uses its own process and files. An address may
hold a password; it is never shown, and it may come from the environment (`AICOMPANY_BROKER__URL`, and so on).
"""

from enum import StrEnum

from pydantic import Field

from aicompany.spec.address import ServerAddress, ServerSection
from aicompany.spec.secret_key import SecretKey
from aicompany.spec.section import Section


class QueueType(StrEnum):
    """How RabbitMQ keeps the work queues."""

    QUORUM = "quorum"
    """Replicated by Raft, counts deliveries. The right one for anything that must not be lost."""
    CLASSIC = "classic"
    """On one node. For comparison."""


class BrokerSpec(ServerSection):
    """The broker."""

    url: ServerAddress | None = Field(
        default=None,
        pattern=r"^amqps?://",
        max_length=2000,
        repr=False,
        description="Address of RabbitMQ, `amqp://user:password@host:port/vhost`; when not set, the embedded broker on "
        "one machine and a vhost made by the operator in a cluster.",
    )
    url_secret: SecretKey | None = Field(
        default=None, description="Secret that holds the address, in a cluster; instead of `url`."
    )
    queue_type: QueueType = Field(
        default=QueueType.QUORUM, description="How RabbitMQ keeps the work queues: `quorum` or `classic`."
    )
    heartbeat_seconds: int = Field(
        default=30, ge=1, le=3600, description="A connection that is silent for this long counts as broken."
    )
    connect_timeout_seconds: float = Field(default=10, gt=0, le=300, description="Longest wait for a connection.")
    confirms_max: int = Field(
        default=2000, ge=1, le=65_535, description="Most published messages that wait for the broker's confirmation."
    )


class Durability(StrEnum):
    """What survives."""

    POWER_LOSS = "power_loss"
    """Every commit is forced to the disk."""
    PROCESS_CRASH = "process_crash"
    """Commits survive the process, but the last ones not a power cut."""


class StoreSpec(ServerSection):
    """The event store."""

    url: ServerAddress | None = Field(
        default=None,
        pattern=r"^postgres(ql)?://",
        max_length=2000,
        repr=False,
        description="Address of PostgreSQL, `postgresql://user:password@host:port/database`; when not set, SQLite on "
        "one machine and a database made by the operator in a cluster.",
    )
    url_secret: SecretKey | None = Field(
        default=None, description="Secret that holds the address, in a cluster; instead of `url`."
    )
    directory: str | None = Field(
        default=None, description="State directory; by the platform's convention when not set."
    )
    durability: Durability = Field(
        default=Durability.POWER_LOSS, description="What a commit survives: `power_loss` or `process_crash`."
    )
    connections_max: int = Field(
        default=4, ge=1, le=100, description="Most connections to PostgreSQL from one process, besides the writer's."
    )
    batch_max: int = Field(default=500, ge=1, le=10_000, description="Most changes that are committed together.")


class CacheSpec(ServerSection):
    """Answers of the model that are kept, so that the same question is not paid for twice."""

    enabled: bool = Field(default=True, description="Whether answers are kept at all.")
    url: ServerAddress | None = Field(
        default=None,
        pattern=r"^(rediss?|unix)://",
        max_length=2000,
        repr=False,
        description="Address of Redis or Valkey, `redis://user:password@host:port/0`; memory alone when not set.",
    )
    url_secret: SecretKey | None = Field(
        default=None, description="Secret that holds the address, in a cluster; instead of `url`."
    )
    ttl_seconds: float = Field(default=3600, gt=0, le=31_536_000, description="How long an answer is good.")
    stale_seconds: float = Field(
        default=86_400,
        ge=0,
        le=31_536_000,
        description="How much longer it is kept, to be given out when the company is overloaded.",
    )
    entries_max: int = Field(default=1000, ge=1, description="Most answers kept in a process's memory.")
    timeout_seconds: float = Field(
        default=0.25, gt=0, le=10, description="Longest wait for the server; after that it is a miss."
    )
    preload_max: int = Field(
        default=20, ge=0, le=1000, description="Most answers a minute that are renewed before they expire; 0: none."
    )
    preload_asked_min: int = Field(
        default=3, ge=1, description="A question asked this often is common, and its answer is renewed."
    )


class LimitsSpec(Section):
    """What the model's service allows all workers together; without a number, its headers and 429 answers tell."""

    requests_per_minute: int | None = Field(default=None, ge=1, description="Requests per minute.")
    input_tokens_per_minute: int | None = Field(default=None, ge=1, description="Input tokens per minute.")
    output_tokens_per_minute: int | None = Field(default=None, ge=1, description="Output tokens per minute.")
