"""Building with Docker; servers' images are the official ones and are pulled by whoever needs them."""

from pathlib import Path

from tests.cluster.commands import Step, run
from tests.cluster.images.catalogue import Image
from tests.cluster.places import cache

_BUILD_SECONDS = 1800.0
_PYTHON = "python:3.13-slim"


class Docker:
    """Builds into Docker's own storage, and from there into archives."""

    name = "docker"

    def __init__(self) -> None:
        self._archives = cache() / "images"

    def build(self, image: Image) -> Path | None:
        """The image's archive; `None` for one that is pulled. Raises `CommandFailed`."""
        if image.has_official:
            return None
        base = image.base or _PYTHON
        archive = self._archives / f"{image.name}-docker-{image.digest(base)}.tar"
        if not archive.exists():
            options = [f"--build-arg=BASE_IMAGE={base}", f"--file={image.dockerfile}", f"--tag={image.tag}"]
            if image.target is not None:
                options.append(f"--target={image.target}")
            with Step(f"building {image.tag}"):
                run("docker", "build", *options, image.context, seconds=_BUILD_SECONDS)
                self._archives.mkdir(parents=True, exist_ok=True)
                run("docker", "save", image.tag, "--output", archive, seconds=300)
            for old in self._archives.glob(f"{image.name}-docker-*.tar"):
                if old != archive:
                    old.unlink()
        return archive
