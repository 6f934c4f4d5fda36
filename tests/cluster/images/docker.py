"""Building with Docker; servers' images are the official ones and are pulled by whoever needs them."""

from pathlib import Path

from tests.cluster.commands import Step, run
from tests.cluster.images.catalogue import Image
from tests.cluster.images.pip_index import build_args
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
        archive = self._archives / f"{image.name}-docker-{image.digest(_PYTHON)}.tar"
        if not archive.exists():
            base = _PYTHON if image.base is None else self.provide(image.base)
            with Step(f"building {image.tag}"):
                self._build(image, base)
                self._keep(image.tag, archive)
        return archive

    def provide(self, image: Image) -> str:
        """The image in Docker's storage, and its tag there. Raises `CommandFailed`."""
        archive = self.build(image)
        if archive is None:
            run("docker", "pull", "--quiet", image.tag, seconds=_BUILD_SECONDS)
        else:
            run("docker", "load", "--quiet", "--input", archive, seconds=300)
        return image.tag

    def _build(self, image: Image, base: str) -> None:
        options = [f"--build-arg=BASE_IMAGE={base}", f"--file={image.dockerfile}", f"--tag={image.tag}", *build_args()]
        if image.target is not None:
            options.append(f"--target={image.target}")
        run("docker", "build", *options, image.context, seconds=_BUILD_SECONDS)

    def _keep(self, tag: str, archive: Path) -> None:
        """Write the archive, whole or not at all, in the place of an older one."""
        self._archives.mkdir(parents=True, exist_ok=True)
        part = archive.with_suffix(".part")
        run("docker", "save", tag, "--output", part, seconds=300)
        part.rename(archive)
        name, _, _ = archive.stem.rpartition("-")
        for other in self._archives.glob(f"{name}-*.tar"):
            if other != archive:
                other.unlink()
