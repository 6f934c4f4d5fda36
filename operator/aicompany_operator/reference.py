"""Writes the operator's generated page: `python -m aicompany_operator.reference DIRECTORY`."""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from annotated_types import Ge, Le
from prometheus_client import CollectorRegistry
from pydantic.fields import FieldInfo

from aicompany.observation import Unknown
from aicompany.spec.company import CompanySpec
from aicompany_operator import names
from aicompany_operator.conditions import credentials, degraded, progressing, ready, resting
from aicompany_operator.conditions.status import conditions_of
from aicompany_operator.observed.seen import KeyState, Reason, Seen
from aicompany_operator.settings import PREFIX, Settings
from aicompany_operator.telemetry.metrics import OperatorMetrics

PAGE = "operator.md"

_CONCLUDED_BY: dict[str, Callable[..., object]] = {
    "Ready": ready.ready,
    "Progressing": progressing.progressing,
    "Degraded": degraded.degraded,
    "Paused": resting.paused,
    "Hibernated": resting.hibernated,
    "CredentialsAvailable": credentials.credentials,
}
"""The function that concludes each condition: its docstring says when it holds."""

_MARKS = (
    (names.LABEL_COMPANY, "label", "the company, on everything it is made of"),
    (names.LABEL_ROLE, "label", "`pm`, `task`, `result`, `dialog` or `gateway`"),
    (names.LABEL_AGENT, "label", "the agent, in the role `task`"),
    (names.LABEL_TRACK, "label", "which version of the company: `stable`"),
    (names.LABEL_SCRAPER, "label of a namespace", '`"true"`: its pods may read the workers\' metrics'),
    (names.STAMP_CONFIGURATION, "annotation of a pod", "changes with what concerns the pod in the company's file"),
    (names.STAMP_CREDENTIALS, "annotation of a pod", "changes with the Secrets the pod uses"),
)


def operator_page() -> str:
    """The page, Markdown."""
    return "\n\n".join(
        [
            "# The operator",
            "Made from the operator's code. What to do about a reason: [the runbook](../runbooks/operator.md).",
            "## Settings",
            "Environment variables of the operator. What starts with `OPERATOR_` and is not in this list is a mistake: "
            "the operator ends with exit code 2 and says so.",
            _table(("variable", "default", "meaning"), _settings()),
            "## Conditions",
            _table(("condition", "meaning"), _conditions()),
            "## Reasons",
            "Stable words, in conditions and Events.\n\n" + ", ".join(f"`{reason}`" for reason in Reason),
            "## Metrics",
            "Served at `/metrics` of the operator, port 8000. Counters get `_total`.",
            _table(("metric", "type", "meaning"), _metrics()),
            "## Labels and annotations",
            _table(("name", "kind", "meaning"), ((f"`{name}`", kind, meaning) for name, kind, meaning in _MARKS)),
            "## Names",
            f"Resource `{names.PLURAL}.{names.GROUP}` (`{names.SHORT_NAME}`), version `{names.VERSION}`; "
            f"server-side apply as `{names.FIELD_MANAGER}`.\n",
        ]
    )


def _settings() -> Iterator[tuple[str, str, str]]:
    for name, field in Settings.model_fields.items():
        default = "needed" if field.is_required() else _shown(field.default)
        yield f"`{PREFIX}{name.upper()}`", default, f"{field.description}{_bounds(field)}"


def _shown(value: object) -> str:
    return "" if value is None or value == () else f"`{value}`"


def _bounds(field: FieldInfo) -> str:
    least = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None)
    most = next((bound.le for bound in field.metadata if isinstance(bound, Le)), None)
    return "" if least is None or most is None else f" {least} to {most}."


def _conditions() -> Iterator[tuple[str, str]]:
    seen = Seen({}, {}, (), KeyState.NOT_NEEDED, (), Unknown("nobody asked"), 0)
    for condition in conditions_of(CompanySpec(), seen):
        yield f"`{condition.type}`", (_CONCLUDED_BY[condition.type].__doc__ or "").strip()


def _metrics() -> Iterator[tuple[str, str, str]]:
    registry = CollectorRegistry()
    OperatorMetrics(registry)
    for metric in registry.collect():
        yield f"`{metric.name}`", metric.type, metric.documentation


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def main(directory: Path) -> None:
    """Write the page."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PAGE).write_text(operator_page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
