"""Where companies keep their state on this machine."""

import json
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from aicompany.errors import CompanyNotRunning
from aicompany.spec.company import AICompany
from aicompany_desk.names import GATEWAY_FILE
from aicompany_workers.store.state_directory import STORE_FILE


class NoCompanyHere(CompanyNotRunning):
    """No company of that name, or none at all, is known on this machine."""


@dataclass(frozen=True, slots=True)
class FoundCompany:
    """A company found on this machine."""

    state: Path
    url: str | None
    """Of its gateway; `None` when it does not run, or says nothing."""


def companies_directory() -> Path:
    """Where companies are kept, by the platform's convention."""
    return user_state_path("aicompany", appauthor=False)


def state_place_of(company: AICompany, chosen: Path | None) -> Path:
    """The company's state directory: what was chosen, what its file says, or the convention."""
    if chosen is not None:
        return chosen
    if company.spec.store.directory is not None:
        return Path(company.spec.store.directory)
    return companies_directory() / company.metadata.name


def find_company(name: str | None, chosen: Path | None) -> FoundCompany:
    """The company that is meant. Raises `NoCompanyHere`, and `CompanyNotRunning` when more than one could be."""
    if chosen is not None:
        return _found(chosen)
    known = sorted(path for path in companies_directory().glob("*") if _is_company(path))
    if name is not None:
        return _found(companies_directory() / name)
    if not known:
        raise NoCompanyHere("no company is known on this machine; start one with `aicompany up company.yaml`")
    running = [path for path in known if (path / GATEWAY_FILE).exists()]
    candidates = running or known
    if len(candidates) > 1:
        names = ", ".join(path.name for path in candidates)
        raise CompanyNotRunning(f"there are several companies ({names}); name one with --company")
    return _found(candidates[0])


def _is_company(state: Path) -> bool:
    """Whether a company keeps its events here, or, with the events elsewhere, has its gateway here."""
    return (state / STORE_FILE).exists() or (state / GATEWAY_FILE).exists()


def _found(state: Path) -> FoundCompany:
    if not _is_company(state):
        raise NoCompanyHere(
            f"there is no company in {state}; start one with `aicompany up company.yaml`, or name another with --state"
        )
    try:
        url = json.loads((state / GATEWAY_FILE).read_text(encoding="utf-8"))["url"]
    except (OSError, ValueError, KeyError, TypeError):
        url = None
    return FoundCompany(state, url if isinstance(url, str) else None)
