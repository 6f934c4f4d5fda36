"""`python -m tests.cluster.images build [NAME...]`: build what is not up to date, and print tags and archives."""

import argparse
import sys

from tests.cluster import machine
from tests.cluster.commands import CommandFailed
from tests.cluster.images.buildah import Buildah
from tests.cluster.images.catalogue import IMAGES
from tests.cluster.images.docker import Docker

_BUILDERS: dict[str, type[Docker | Buildah]] = {Docker.name: Docker, Buildah.name: Buildah}


def main() -> int:
    """The exit code: 0, or 1 when something could not be built."""
    asked = _parser().parse_args()
    builder = _BUILDERS[asked.builder or (Docker.name if machine.docker_works() else Buildah.name)]()
    try:
        for image in IMAGES:
            if not asked.names or image.name in asked.names:
                print(f"{image.tag}  {builder.build(image) or 'is pulled'}", flush=True)
    except (CommandFailed, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="all images, or those that are named")
    # Each word is checked by itself: with `choices`, no word at all would be a wrong one.
    build.add_argument("names", nargs="*", metavar="NAME", type=_known, help=", ".join(image.name for image in IMAGES))
    build.add_argument("--builder", choices=sorted(_BUILDERS), help="docker where its engine answers, else buildah")
    return parser


def _known(name: str) -> str:
    if name not in {image.name for image in IMAGES}:
        raise argparse.ArgumentTypeError(f"there is no image {name}")
    return name


if __name__ == "__main__":
    sys.exit(main())
