"""The repository tests itself: its shape, its modules, its products and its versions."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.arrows import modules, name_of
from tests.repository import ROOT, files

MAX_LINES = 250
MAX_FUNCTION_LINES = 40
LONG_FILES = {
    "run": "runs before anything can be imported, so it cannot be cut into modules",
}
LONG_FUNCTIONS: dict[str, str] = {}

PYTHON_FILES = [path for path in files() if path.suffix == ".py" or path == ROOT / "run"]
PRODUCTS = sorted(path.parent for path in files() if path.name == "product.yaml")

# In pieces, so that this file does not hold them either.
PUBLIC_REGISTRIES = [
    ".".join(words)
    for words in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("registry", "npmjs", "org"),
    )
]
A_DEVELOPERS_PATH = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/")


def relative(path: Path) -> str:
    """Return *path* as a person in the root writes it."""
    return str(path.relative_to(ROOT))


def test_the_standard_librarys_platform_module_is_not_hidden():
    """`platform/` is a source folder; an `__init__.py` in it breaks this, and not pytest."""
    script = "import platform; print(platform.python_version())"
    printed = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, text=True, capture_output=True
    )

    assert printed.stdout.strip() == ".".join(map(str, sys.version_info[:3]))
    assert not (ROOT / "platform" / "__init__.py").exists()


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_opens_with_a_docstring_and_says_what_is_public(path):
    tree = ast.parse(path.read_text("utf-8"))
    has_code = any(not is_declaration(node) for node in tree.body)
    public = [name for node in tree.body for name in names_of(node) if not name.startswith("_")]

    assert ast.get_docstring(tree), "no docstring"
    assert not has_code or "from __future__ import annotations" in path.read_text("utf-8")
    assert not public or "__all__" in {name for node in tree.body for name in names_of(node)}


def is_declaration(node: ast.stmt) -> bool:
    """Tell whether *node* is a docstring, an import or `__all__`, which need no annotations."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or isinstance(node, ast.Import | ast.ImportFrom) or names_of(node) == ["__all__"]


def names_of(node: ast.stmt) -> list[str]:
    """List the names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


@pytest.mark.parametrize("path", PYTHON_FILES, ids=relative)
def test_files_and_functions_are_short(path):
    text = path.read_text("utf-8")
    lines = len(text.splitlines())
    long = [name for name, length in functions_in(text) if length > MAX_FUNCTION_LINES]

    assert lines <= MAX_LINES or relative(path) in LONG_FILES, f"{lines} lines"
    assert [name for name in long if f"{relative(path)}:{name}" not in LONG_FUNCTIONS] == []


def functions_in(text: str) -> Iterator[tuple[str, int]]:
    """Yield each function with its number of lines."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1


def test_the_exceptions_from_the_limits_are_still_needed():
    unneeded = [
        name for name in LONG_FILES if len((ROOT / name).read_text().splitlines()) <= MAX_LINES
    ]
    for name in LONG_FUNCTIONS:
        path, _, function = name.partition(":")
        if dict(functions_in((ROOT / path).read_text())).get(function, 0) <= MAX_FUNCTION_LINES:
            unneeded.append(name)

    assert unneeded == []


@pytest.mark.parametrize("folder", PRODUCTS, ids=relative)
def test_a_product_folder_has_the_files_that_all_have(folder):
    ports = yaml.safe_load((folder / "product.yaml").read_text("utf-8"))["outputPorts"]
    needed = ["README.md", "__init__.py"]
    for port in ports:
        snake = port["name"].replace("-", "_")
        if port["type"] == "files":
            needed.append(f"contracts/{snake}.odcs.yaml")
            continue
        needed.append(f"{snake}.test.yaml")
        if "maskedFrom" not in [each["property"] for each in port.get("customProperties", [])]:
            needed += [f"{snake}.sql", f"contracts/{snake}.odcs.yaml"]

    assert ports
    assert [name for name in needed if not (folder / name).is_file()] == []


def test_every_folder_of_products_is_a_product():
    folders = {path for path in (ROOT / "products").iterdir() if path.name[0] not in "_."}

    assert {path for path in folders if path.is_dir()} == set(PRODUCTS)
    assert PRODUCTS


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_the_command_line_prints(path):
    """Standard output is the command line's; what a child says on its log is another thing."""
    calls = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
        if "file" not in {keyword.arg for keyword in node.keywords}
    ]

    assert calls == [] or name_of(path).startswith("mesh.cli")


def test_no_file_names_a_registrys_host_or_a_developers_folder():
    hosts = [*PUBLIC_REGISTRIES, *configured_hosts()]
    found = []
    for path in files():
        text = path.read_text("utf-8", errors="ignore")
        found += [f"{relative(path)}: {host}" for host in hosts if host in text]
        found += [f"{relative(path)}: {hit}" for hit in A_DEVELOPERS_PATH.findall(text)]
        found += [f"{relative(path)}: {ROOT}"] if f"{ROOT}/" in text else []

    assert found == []


def configured_hosts() -> list[str]:
    """Ask pip where this machine gets its packages."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    settings = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    hosts = re.findall(r"://(?:[^/@'\s]*@)?([\w.-]+)", settings)
    return [host for host in hosts if "." in host and not host.startswith("127.")]


def test_a_developers_folder_is_found():
    assert A_DEVELOPERS_PATH.findall("see /ro" + "ot/x, /ho" + "me/ada/y") == [
        "/ro" + "ot/",
        "/ho" + "me/ada/",
    ]
    assert not A_DEVELOPERS_PATH.findall("https://example.com/work/x and ../root/y")


def test_the_version_is_the_newest_of_the_changelog():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    versions = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)

    assert versions[0] == project["version"]


def test_constraints_pin_everything_that_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = sum(project["optional-dependencies"].values(), project["dependencies"])
    pins = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    names = {normal(re.match(r"[\w.-]+", line)[0]) for line in asked} - {project["name"]}

    assert names - {normal(pin) for pin in pins} == set()


def normal(name: str) -> str:
    """Return the normalised name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
