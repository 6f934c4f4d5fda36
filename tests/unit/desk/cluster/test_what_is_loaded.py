"""The Kubernetes client takes long to load: only a command that goes to a cluster pays for it."""

import os
import subprocess
import sys

import pytest


def loaded_by(code, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AICOMPANY", "KUBE", "XDG"))}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True, timeout=60, env={**clean, **environment},
    )  # fmt: skip
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["cli.main", "cli.client", "cli.options", "cli.order", "kubectl.main", "reference"])
def test_importing_commands_does_not_load_it(module):
    assert "kubernetes" not in loaded_by(f"import aicompany_desk.{module}")


def test_a_command_for_this_machine_does_not_load_it(tmp_path):
    code = (
        "from aicompany_desk.cli.main import cli\n"
        "try: cli.main(['tasks'], standalone_mode=False)\n"
        "except Exception as error: assert 'no company is known' in str(error), error\n"
        "else: raise SystemExit('a company was found')"
    )
    assert "kubernetes" not in loaded_by(code, HOME=str(tmp_path))


def test_reading_a_kubeconfig_loads_it(tmp_path):
    (tmp_path / "kubeconfig").write_text("current-context: none\n")
    code = (
        "from aicompany_desk.cli.main import cli\n"
        "try: cli.main(['tasks'], standalone_mode=False)\n"
        "except Exception as error: assert 'kubeconfig' in str(error), error\n"
        "else: raise SystemExit('a company was found')"
    )
    assert "kubernetes" in loaded_by(code, HOME=str(tmp_path), KUBECONFIG=str(tmp_path / "kubeconfig"))
