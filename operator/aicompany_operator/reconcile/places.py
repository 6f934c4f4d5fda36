"""A server that gives every company a place of its own."""

from typing import Protocol

from aicompany_operator.names import CompanyRef


class Places(Protocol):
    """RabbitMQ's are vhosts with a user, PostgreSQL's databases with a role. Each bears the mark of its company."""

    async def ensure(self, company: CompanyRef, password: str) -> str:
        """Make the place and who may use it; its address.

        Raises `ServerUnreachable`, `ServerRefused`, `PlaceTaken`: the name is there with another company's mark.
        """

    async def remove(self, company: CompanyRef) -> None:
        """Take both away; what is gone is fine, and what bears another company's mark is left alone.

        Raises `ServerUnreachable`, `ServerRefused`.
        """
