"""`python -m tests.cluster.images [buildah|docker]`: build what is not up to date, and print the archives."""

import sys

from tests.cluster.images.buildah import Buildah
from tests.cluster.images.catalogue import IMAGES
from tests.cluster.images.docker import Docker


def main() -> None:
    builder = Docker() if "docker" in sys.argv[1:] else Buildah()
    for image in IMAGES:
        archive = builder.build(image)
        print(f"{image.tag}  {archive or 'is pulled'}")


if __name__ == "__main__":
    main()
