"""Options that many commands share."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from aicompany_desk.cluster.place import ClusterPlace

Command = TypeVar("Command", bound=Callable[..., Any])

output_option = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True,
    help="How to print.",
)  # fmt: skip

state_option = click.option(
    "--state", type=click.Path(path_type=Path, file_okay=False), envvar="AICOMPANY_STATE",
    help="State directory of the company.",
)  # fmt: skip

_REACH = (
    click.option("--company", envvar="AICOMPANY_COMPANY", help="Name of the company, when there are several."),
    click.option("--url", envvar="AICOMPANY_URL", help="Address of its gateway."),
    state_option,
)


_PLACE = "aicompany.cluster_place"


def _keep(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """What says which cluster is meant is no business of the single commands."""
    if value is not None:
        place = ctx.meta.get(_PLACE, ClusterPlace())
        ctx.meta[_PLACE] = replace(place, **{str(parameter.name): value})


CLUSTER = (
    click.option("-n", "--namespace", expose_value=False, callback=_keep, help="Namespace of a company in a cluster."),
    click.option("--context", expose_value=False, callback=_keep, help="Context of the kubeconfig."),
    click.option("--kubeconfig", expose_value=False, callback=_keep, help="Kubeconfig, instead of KUBECONFIG's."),
)


def cluster_place() -> ClusterPlace:
    """The cluster and namespace that the running command was told."""
    context = click.get_current_context(silent=True)
    place: ClusterPlace = context.meta.get(_PLACE, ClusterPlace()) if context else ClusterPlace()
    return place


def cluster_options(command: Command) -> Command:
    """`--namespace`, `--context` and `--kubeconfig`."""
    return reduce(lambda wrapped, option: option(wrapped), reversed(CLUSTER), command)


def reach_options(command: Command) -> Command:
    """`--company`, `--url` and `--state`, and where in a cluster: which company is meant."""
    command = cluster_options(command)
    return reduce(lambda wrapped, option: option(wrapped), reversed(_REACH), command)
