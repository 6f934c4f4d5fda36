"""`python -m tests.cluster trial|up|down|load IMAGE...|env|status`: the cluster for tests, by hand."""

import argparse
import os
import sys

from tests.cluster.cluster import Cluster, ClusterMissing, choose
from tests.cluster.commands import CommandFailed
from tests.cluster.trial import provide


def main() -> int:
    """The exit code: 0, or 1 when it could not be done or, for `status`, when no cluster is up."""
    asked = _parser().parse_args()
    try:
        return _carry_out(asked, choose())
    except (ClusterMissing, CommandFailed, TimeoutError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def environment(cluster: Cluster) -> str:
    """The line for a shell that is to use the cluster."""
    return f"export KUBECONFIG={cluster.kubeconfig} PATH={cluster.kubectl.parent}{os.pathsep}$PATH"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("trial", help="up, with images, RabbitMQ and PostgreSQL, to try a company on")
    commands.add_parser("up", help="bring it up, and print the line for a shell")
    commands.add_parser("down", help="remove it, whatever is left of it")
    load = commands.add_parser("load", help="images into its node")
    load.add_argument("images", nargs="+", metavar="IMAGE", help="a tag, or an archive (*.tar)")
    commands.add_parser("env", help="print the line for a shell")
    commands.add_parser("status", help="say what it is and whether it is up")
    return parser


def _carry_out(asked: argparse.Namespace, cluster: Cluster) -> int:
    match asked.command:
        case "trial":
            provide(cluster)
            print(environment(cluster))
        case "up":
            cluster.up()
            print(environment(cluster))
        case "down":
            cluster.down()
        case "load":
            cluster.load(asked.images)
        case "env":
            print(environment(cluster))
        case "status":
            is_up = cluster.is_up()
            print(f"{'up' if is_up else 'down'}: {cluster.describe()}")
            return 0 if is_up else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
