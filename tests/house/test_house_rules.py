"""The rules of the house, as tests."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from aicompany import errors
from aicompany_desk.reference import PAGES

ROOT = Path(__file__).parents[2]
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "managers"}
SOURCE_ROOTS = ("core", "workers", "desk", "operator")
MODULE_LINES_MAX = 450


def tracked() -> list[Path]:
    # A runner often works as another user than the one who cloned.
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def python_files(*roots: str) -> list[Path]:
    return [path for root in roots for path in sorted((ROOT / root).rglob("*.py"))]


def modules_imported(path: Path) -> set[str]:
    """The first part of every module that the file imports, wherever in it."""
    tree = ast.parse(text_of(path))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in names}


def requirements_of(*groups: str) -> list[Requirement]:
    """What pyproject asks for: the project's dependencies, and those of the groups and what they include."""
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    lines = list(project["project"]["dependencies"])
    for group in groups:
        lines += [line for line in project["dependency-groups"][group] if isinstance(line, str)]
    return [Requirement(line) for line in lines]


def locked(name: str) -> dict[str, str]:
    """Versions by normal name, of a lock in requirements/."""
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text_of(ROOT / "requirements" / name), re.MULTILINE)
    return {canonicalize_name(package): pinned for package, pinned in pins}


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_imports_point_one_way():
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(tool), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_current(name):
    committed = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert committed == PAGES[name](), f"docs/reference/{name} is out of date; run `make docs`"


def test_no_folder_or_module_has_a_name_that_says_nothing():
    named = [path for path in python_files(*SOURCE_ROOTS) if {path.stem, path.parent.name} & FORBIDDEN_NAMES]
    assert named == []


def test_source_roots_are_no_packages():
    roots = (*SOURCE_ROOTS, "operator")
    assert [root for root in roots if (ROOT / root / "__init__.py").exists()] == []


def test_modules_can_be_read_in_one_sitting():
    long = {
        str(p.relative_to(ROOT)): n
        for p in python_files(*SOURCE_ROOTS)
        if (n := len(text_of(p).splitlines())) > MODULE_LINES_MAX
    }
    assert long == {}


def test_every_error_has_a_code_of_its_own_and_says_what_it_is():
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.AICompanyError)]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert all(kind.__doc__ for kind in kinds)


def test_tests_wait_for_conditions_and_never_for_a_time():
    waiting = re.compile(r"(?:time|asyncio)\.sleep\((?!0\))")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in python_files("tests")
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if waiting.search(line)
        and path.name not in {"waiting.py", "server.py", Path(__file__).name}
        # What drives the faults keeps a timetable; the tests of it wait for conditions.
        and (path.parent != ROOT / "tests" / "faults" or path.name.startswith("test_"))
    ]
    assert found == []


def test_nothing_is_skipped_or_retried():
    # But for servers that are not here and cannot be had: their tests say so.
    markers = re.compile(
        r"mark\.(?:skip|xfail|flaky)|pytest\.skip\((?!str\()|" + "import " + "mock|unittest" + r"\.mock"
    )
    found = [p.name for p in python_files("tests") if p != Path(__file__) and markers.search(text_of(p))]
    assert found == []


def test_no_address_of_a_registry_and_no_path_of_a_machine_is_committed():
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("crates", "io"))
    ]
    places = [f"/{name}/" for name in ("work", "root", "home")]
    found = [
        f"{path.relative_to(ROOT)}: {word}" for path in tracked() for word in [*hosts, *places] if word in text_of(path)
    ]
    assert found == []


def test_no_secret_is_committed():
    key = re.compile("sk-ant-" + r"[A-Za-z0-9_-]{24,}")
    assert [path.name for path in tracked() if key.search(text_of(path))] == []


def test_the_readmes_commands_exist():
    readme = text_of(ROOT / "README.md")
    makefile = text_of(ROOT / "Makefile")
    targets = set(re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", readme, re.MULTILINE))
    names = {one or other for one, other in targets}
    assert {"run", "test"} <= names
    assert [name for name in names if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


def test_links_in_the_pages_lead_somewhere():
    links = [
        (page, target)
        for page in tracked()
        if page.suffix == ".md"
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", text_of(page))
    ]
    assert [
        f"{page.relative_to(ROOT)} → {target}" for page, target in links if not (page.parent / target).exists()
    ] == []


@pytest.mark.parametrize(("lock", "groups"), [("run.lock", ("build",)), ("dev.lock", ("build", "dev"))])
def test_the_lock_satisfies_what_the_project_asks_for(lock, groups):
    versions = locked(lock)
    missing = [
        f"{wanted} is asked for, {lock} has {versions.get(canonicalize_name(wanted.name), 'nothing')}; run `make lock`"
        for wanted in requirements_of(*groups)
        if not wanted.specifier.contains(versions.get(canonicalize_name(wanted.name), "0"), prereleases=True)
        or canonicalize_name(wanted.name) not in versions
    ]
    assert missing == []


def test_what_runs_is_what_was_tested():
    run, dev = locked("run.lock"), locked("dev.lock")
    assert {name: pinned for name, pinned in run.items() if dev.get(name) != pinned} == {}


def test_the_installed_versions_are_the_locked_ones():
    differing = []
    for name, wanted in locked("dev.lock").items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue  # of another platform or Python
        if installed != wanted:
            differing.append(f"{name} {installed}, locked {wanted}")
    assert differing == []


def test_every_dependency_is_used():
    imported = set().union(*(modules_imported(path) for path in python_files(*SOURCE_ROOTS)))
    used = {
        canonicalize_name(name)
        for module, names in packages_distributions().items()
        if module in imported
        for name in names
    }
    assert [str(wanted) for wanted in requirements_of() if canonicalize_name(wanted.name) not in used] == []


def test_core_reads_no_clock():
    clocks = {"now", "utcnow", "today"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files("core")
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.Attribute)
        and node.attr in clocks
        and isinstance(node.value, ast.Name)
        and node.value.id in {"datetime", "date"}
    ]
    assert found == []


def test_the_wheel_holds_the_packages_and_their_data(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = [path for path in tracked() if path.relative_to(ROOT).parts[0] in SOURCE_ROOTS]
    wanted = {path.relative_to(ROOT / path.relative_to(ROOT).parts[0]).as_posix() for path in sources}
    packages = {name.split("/")[0] for name in wanted}
    assert {f"{package}/py.typed" for package in packages} <= wanted
    assert wanted - names == set()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == packages


def test_help_loads_nothing_heavy():
    code = "import sys; import aicompany_desk.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "fastapi", "rich", "anthropic", "asyncio"} & set(loaded)


def test_an_offline_company_does_not_load_the_claude_sdk():
    code = (
        "import sys, aicompany_desk.local.company\n"
        "from aicompany.spec.model import ModelSpec\n"
        "from aicompany_workers.model.select import select_model\n"
        "assert select_model(ModelSpec(), {}).is_offline\n"
        "print('anthropic' in sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANTHROPIC")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "False"


def test_public_functions_and_classes_say_what_they_are():
    silent = []
    for path in python_files(*SOURCE_ROOTS):
        tree = ast.parse(text_of(path))
        for node in tree.body:
            named = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            if named and not node.name.startswith("_") and not ast.get_docstring(node):
                silent.append(f"{path.name}:{node.name}")
    assert silent == []
