"""`python -m aicompany_operator.crd [DIRECTORY]`: write the definition, into `crds` unless told otherwise."""

import sys
from pathlib import Path

import yaml

from aicompany_operator.crd.definition import definition
from aicompany_operator.names import GROUP, PLURAL

FILE = f"{GROUP}_{PLURAL}.yaml"
_HEAD = "# Generated from core/aicompany/spec by `make docs`; do not edit.\n"


def text() -> str:
    """The file's content."""
    return _HEAD + yaml.safe_dump(definition(), sort_keys=False, allow_unicode=True, width=120)


def main() -> None:
    """Write the file."""
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "crds")
    directory.mkdir(exist_ok=True)
    (directory / FILE).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
