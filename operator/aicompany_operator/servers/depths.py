"""Queue depths of all companies, by one look at RabbitMQ's detailed metrics.

A queue reports by itself about every five seconds, so a depth is up to ten seconds old here.
Meant for a broker of one node: what other nodes of a cluster lead is not looked up.
Source: https://www.rabbitmq.com/docs/prometheus (`/metrics/detailed`).
"""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping

import aiohttp

from aicompany.messaging.topology import lane_queues
from aicompany.observation import Unknown
from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.names import CompanyRef, server_name

_TIMEOUT_SECONDS = 5.0
_GOOD_SECONDS = 5.0
"""So long an answer serves all companies."""
_QUERY = "/metrics/detailed?family=queue_coarse_metrics"
_READY = re.compile(
    r'^rabbitmq_detailed_queue_messages_ready\{vhost="([^"]*)",queue="([^"]*)"[^}]*\} (\S+)$', re.MULTILINE
)
_FROM_RABBITMQ = re.compile(r"^(?:# TYPE )?rabbitmq_", re.MULTILINE)
"""Is there also when there is no queue at all; a page of somebody else's must not count as empty queues."""

Vhosts = Mapping[str, Mapping[str, int]]


class QueueDepths:
    """Asks at most every five seconds, once for all."""

    def __init__(self, metrics_url: str) -> None:
        self._url = metrics_url.rstrip("/") + _QUERY
        self._turn = asyncio.Lock()
        self._answer: Vhosts | Unknown = Unknown("not asked yet")
        self._asked_at = float("-inf")

    async def of(self, company: CompanyRef, groups: Iterable[WorkerGroup]) -> dict[WorkerGroup, int] | Unknown:
        """Waiting messages by group; a queue that is not there yet holds none."""
        answer = await self._newest()
        if isinstance(answer, Unknown):
            return answer
        queues = answer.get(server_name(company), {})
        return {
            group: sum(queues.get(queue, 0) for queue in lane_queues(group.role, agent=group.agent).values())
            for group in groups
        }

    async def _newest(self) -> Vhosts | Unknown:
        async with self._turn:
            if time.monotonic() - self._asked_at >= _GOOD_SECONDS:
                self._answer = await self._asked()
                self._asked_at = time.monotonic()
            return self._answer

    async def _asked(self) -> Vhosts | Unknown:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(self._url) as response:
                if response.status != 200:
                    return Unknown(f"RabbitMQ's metrics answer {response.status}")
                text = await response.text()
                return (
                    parsed(text) if _FROM_RABBITMQ.search(text) else Unknown("what answers are no RabbitMQ's metrics")
                )
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            return Unknown(f"RabbitMQ's metrics do not answer ({type(error).__name__})")


def parsed(text: str) -> dict[str, dict[str, int]]:
    """Ready messages by vhost and queue, from the text of the metrics."""
    vhosts: dict[str, dict[str, int]] = {}
    for vhost, queue, ready in _READY.findall(text):
        vhosts.setdefault(vhost, {})[queue] = int(float(ready))
    return vhosts
