"""How figures are printed."""

import platform
import sys


def heading(what: str) -> None:
    print(f"\n{what}  (Python {platform.python_version()}, {platform.machine()})")
    print(f"  {'figure':<58} {'goal':>14} {'measured':>14}")


def figure(what: str, goal: str, measured: str) -> None:
    print(f"  {what:<58} {goal:>14} {measured:>14}", flush=True)


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<70}", end="", file=sys.stderr, flush=True)
