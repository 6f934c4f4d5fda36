"""`kubectl aicompany status`: the resource's status, for people."""

import asyncio
from typing import Any

import click

from aicompany.observation import Unknown
from aicompany_desk.cli.options import cluster_options, cluster_place, output_option
from aicompany_desk.cli.printing import fields, print_data, shortened, table
from aicompany_desk.cluster.api import ClusterApi, cluster_api
from aicompany_desk.cluster.company import CompanyThere, find
from aicompany_desk.cluster.place import ClusterForbidden

_EVENTS_MAX = 10


@click.command("status")
@click.argument("name", required=False)
@cluster_options
@output_option
def status(name: str | None, output: str) -> int:
    """Show conditions, groups, places and recent Events of the company NAME (the only one when not named)."""
    return asyncio.run(_status(name, output))


async def _status(name: str | None, output: str) -> int:
    async with cluster_api(cluster_place()) as api:
        company = await find(api, name)
        events = await events_of(api, company)
    status = company.resource.get("status", {})
    told = {"company": f"{company.namespace}/{company.name}", **status, **events_told(events)}
    print_data(told, output, text_of(company, events))
    return 0


async def events_of(api: ClusterApi, company: CompanyThere) -> list[dict[str, Any]] | Unknown:
    """What the cluster was told of the company, newest last; why it is unknown, for who may not read Events."""
    selector = f"involvedObject.uid={company.resource['metadata']['uid']}"
    try:
        found = (await api.core(company.namespace, "events", fieldSelector=selector)).get("items", ())
    except ClusterForbidden as error:
        return Unknown(error.message)
    events = [
        {
            "at": event.get("lastTimestamp") or event["metadata"]["creationTimestamp"],
            "type": event.get("type", ""),
            "reason": event.get("reason", ""),
            "message": event.get("message", ""),
        }
        for event in found
    ]
    return sorted(events, key=lambda event: str(event["at"]))[-_EVENTS_MAX:]


def events_told(events: list[dict[str, Any]] | Unknown) -> dict[str, Any]:
    """As data: unknown is not the same as none."""
    return {"events": None, "eventsUnknown": events.why} if isinstance(events, Unknown) else {"events": events}


def text_of(company: CompanyThere, events: list[dict[str, Any]] | Unknown) -> str:
    """As a page."""
    status = company.resource.get("status", {})
    ready = company.condition("Ready")
    head = {
        "company": f"{company.namespace}/{company.name}",
        "ready": f"{ready.get('status', 'Unknown')}: {ready.get('message', 'the operator has not looked at it yet')}",
        "workers": status.get("workers"),
        "queued": status.get("queued"),
        "track": status.get("track"),
        "image": status.get("image"),
        "gateway": status.get("gateway"),
        "broker": status.get("broker"),
        "store": status.get("store"),
    }
    parts = [fields(head)]
    conditions = [
        (each["type"], each["status"], each["reason"], each["lastTransitionTime"], shortened(each["message"], 80))
        for each in status.get("conditions", ())
    ]
    parts.append(table(("CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"), conditions, "no condition yet"))
    groups = [
        (each["name"], f"{each['ready']}/{each['desired']}", each.get("queued", "?"), _decided(each))
        for each in status.get("groups", ())
    ]
    if groups:
        parts.append(table(("GROUP", "READY", "QUEUED", "LAST DECISION"), groups, ""))
    if isinstance(events, Unknown):
        return "\n\n".join([*parts, f"Events are not known: {events.why}"])
    told = [(each["at"], each["type"], each["reason"], shortened(each["message"], 90)) for each in events]
    if told:
        parts.append(table(("EVENT", "TYPE", "REASON", "MESSAGE"), told, ""))
    return "\n\n".join(parts)


def _decided(group: dict[str, Any]) -> str:
    decision = group.get("lastDecision")
    return f"{decision['at']} {decision['what']}: {decision['why']}" if decision else "-"
