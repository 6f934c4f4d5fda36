"""Building with buildah, on a Debian machine without a container engine: on a base of Debian's own packages."""

import shutil
import tempfile
from pathlib import Path

from tests.cluster.commands import CommandFailed, Step, run
from tests.cluster.images import debian
from tests.cluster.images.catalogue import Image
from tests.cluster.images.pip_index import build_args
from tests.cluster.places import cache
from tests.cluster.processes import packages

ENVIRONMENT = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "overlay"}
_INPUTS = "aicompany.inputs"
_PACKAGES = (("buildah", "buildah"), ("debootstrap", "debootstrap"))
_BUILD_SECONDS = 900.0
_COPY_SECONDS = 300.0
_FROM_HOST = ("/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/pip.conf",
              "/etc/ssl/certs/ca-certificates.crt", "/usr/share/keyrings")  # fmt: skip
"""How this machine reaches packages is for the build alone: mounted, never copied."""


class Buildah:
    """Builds into archives (OCI) in the cache; one whose inputs did not change is not built again, in no clone."""

    name = "buildah"

    def __init__(self) -> None:
        self._archives = cache() / "images"

    def build(self, image: Image) -> Path:
        """The image's archive. Raises `CommandFailed`, `FileNotFoundError`."""
        digest = image.digest(debian.digest())
        archive = self._archives / f"{image.name}-{digest}.tar"
        if not archive.exists():
            packages.install(_PACKAGES)
            below = self._base() if image.base is None else self.provide(image.base)
            with Step(f"building {image.tag}"):
                self._build(image, below, digest)
                self._keep(image.tag, archive)
        return archive

    def provide(self, image: Image) -> str:
        """The image in buildah's own storage, and its tag there. Raises as `build`."""
        packages.install(_PACKAGES)
        archive = self.build(image)
        digest = image.digest(debian.digest())
        if not _is_here(image.tag, digest):
            _fetch(archive, image.tag)
        return image.tag

    def _build(self, image: Image, below: str, digest: str) -> None:
        options = [f"--build-arg=BASE_IMAGE={below}", "--layers", "--format=oci", f"--file={image.dockerfile}"]
        options += [*build_args(), f"--label={_INPUTS}={digest}", f"--tag={image.tag}"]
        if image.target is not None:
            options.append(f"--target={image.target}")
        options += [f"--volume={place}:{place}:ro" for place in _from_host()]
        log = self._archives / f"{image.name}.log"
        run("buildah", "bud", *options, image.context, seconds=_BUILD_SECONDS, env=ENVIRONMENT, log=log)

    def _base(self) -> str:
        """Debian with Python; its archive is kept as well."""
        digest = debian.digest()
        archive = self._archives / f"aicompany-base-{digest}.tar"
        if not _is_here(debian.TAG, digest):
            with Step(f"building {debian.TAG}"):
                if not archive.exists():
                    _build_base(digest)
                    self._keep(debian.TAG, archive)
                else:
                    _fetch(archive, debian.TAG)
        return debian.TAG

    def _keep(self, tag: str, archive: Path) -> None:
        """Write the archive, whole or not at all, in the place of an older one."""
        self._archives.mkdir(parents=True, exist_ok=True)
        part = archive.with_suffix(".part")
        part.unlink(missing_ok=True)
        run("buildah", "push", "--quiet", tag, f"oci-archive:{part}:{tag}", seconds=_COPY_SECONDS, env=ENVIRONMENT)
        part.rename(archive)
        name, _, _ = archive.stem.rpartition("-")
        for other in self._archives.glob(f"{name}-{'[0-9a-f]' * 16}.tar"):
            if other != archive:
                other.unlink()


def _build_base(digest: str) -> None:
    place = Path(tempfile.mkdtemp(prefix="aicompany-base-"))
    try:
        debian.install(place / "root")
        (place / "Dockerfile").write_text('FROM scratch\nCOPY root /\nCMD ["/bin/sh"]\n')
        options = ("--quiet", "--format=oci", f"--label={_INPUTS}={digest}", f"--tag={debian.TAG}")
        run("buildah", "bud", *options, place, seconds=_BUILD_SECONDS, env=ENVIRONMENT)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _is_here(tag: str, digest: str) -> bool:
    """Whether the storage has the image, made of these inputs."""
    template = f'{{{{index .OCIv1.Config.Labels "{_INPUTS}"}}}}'
    try:
        found = run("buildah", "inspect", "--type=image", f"--format={template}", tag, seconds=60, env=ENVIRONMENT)
    except CommandFailed:
        return False
    return found.strip() == digest


def _fetch(archive: Path, tag: str) -> None:
    """From the archive into the storage, under the name it has."""
    image = run("buildah", "pull", "--quiet", f"oci-archive:{archive}", seconds=_COPY_SECONDS, env=ENVIRONMENT)
    run("buildah", "tag", image.split()[-1], tag, seconds=60, env=ENVIRONMENT)


def _from_host() -> list[str]:
    """Single files of apt's settings: packages put files of their own beside them."""
    settings = [path for path in Path("/etc/apt/apt.conf.d").glob("*") if "Acquire" in path.read_text(errors="replace")]
    return [str(place) for place in (*map(Path, _FROM_HOST), *settings) if place.exists()]
