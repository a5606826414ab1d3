"""datacontract-cli and dataproduct-cli accept all that ships.

They live in an environment of their own (their dependencies are not ours), which is built
once a version in the user's cache folder.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TOOLS = ("datacontract-cli==1.2.8", "dataproduct-cli==0.3.2")
ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = sorted(ROOT.glob("products/*/contracts/*.odcs.yaml"))
PRODUCTS = sorted(ROOT.glob("products/*/product.yaml"))
NO_INDEX = ("connection", "Name or service not known", "Temporary failure", "timed out", "proxy")

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def tools():
    """The folder of the tools' commands; skips only where the package index is out of reach."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(" ".join((*TOOLS, version, sys.prefix)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "reference-data-mesh" / f"third-party-{key}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        build(folder)
        (folder / "complete").touch()
    return folder / "bin"


def build(folder):
    # Without pip of its own, so that it works where ensurepip is missing: ours installs into it.
    run(sys.executable, "-m", "venv", "--without-pip", folder, check=True)
    python = folder / "bin" / "python"
    done = run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *TOOLS)
    if done.returncode and any(words in done.stderr for words in NO_INDEX):
        pytest.skip(f"the package index cannot be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def run(*command, check=False, **environment):
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        check=check,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"} | environment,
    )


def test_there_is_something_to_check():
    assert CONTRACTS
    assert PRODUCTS


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.name)
def test_datacontract_accepts_a_contract(tools, path):
    done = run(tools / "datacontract", "lint", path.relative_to(ROOT))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "valid against ODCS v3.2.0" in done.stdout  # not as some older kind of contract


@pytest.mark.parametrize("path", PRODUCTS, ids=lambda path: path.parent.name)
def test_dataproduct_accepts_a_descriptor_and_finds_its_contracts(tools, path):
    search = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = run(tools / "dataproduct", "lint", "--all-errors", path.relative_to(ROOT), PATH=search)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "valid against ODPS v1.1.0" in done.stdout
    document = yaml.safe_load(path.read_text("utf-8"))
    read = {each.get("contractId", "") for each in document["inputPorts"]}
    of_others = {each for each in read if each and not each.startswith(f"{document['id']}.")}
    own = [*path.parent.glob("contracts/*")]
    assert done.stdout.count("passes datacontract lint") == len(own) + len(of_others)


def test_datacontract_refuses_what_is_not_odcs(tools, tmp_path):
    path = tmp_path / "broken.odcs.yaml"
    path.write_text(CONTRACTS[0].read_text().replace("status:", "statsu:"))

    assert run(tools / "datacontract", "lint", path).returncode != 0
