"""Changes of the call center's contract, in the words of the tests of evolution."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CALLS", "CALLS_V2", "add_v2", "bump", "center", "edit", "retire_v1"]

CALLS, CALLS_V2 = "call-center.calls", "call-center.calls.v2"

PORT_V2 = """\
  - name: calls
    description: One row per finished call, its length in milliseconds.
    type: topic
    version: 2.0.0
    contractId: call-center.calls.v2
"""
LENGTH = """\
      - name: length_ms
        logicalType: integer
        logicalTypeOptions:
          minimum: 0
        description: How long the call lasted, in milliseconds.
        required: true
"""


def center(root: Path) -> Path:
    """The folder of the call center."""
    return root / "products" / "call_center"


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Replace texts of a file, each of which is there once."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, f"{path.name} has {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def bump(root: Path, version: str, *changes: tuple[str, str]) -> None:
    """Change the contract of the calls, and the version that goes with it."""
    contract = center(root) / "contracts" / "calls.odcs.yaml"
    edit(contract, ("\nversion: 1.0.0", f"\nversion: {version}"), *changes)
    port = "    version: {}\n    contractId: call-center.calls\n"
    edit(center(root) / "product.yaml", (port.format("1.0.0"), port.format(version)))


def add_v2(root: Path) -> None:
    """Offer a second major version of the calls beside the first: milliseconds for seconds."""
    folder = center(root)
    old = (folder / "contracts" / "calls.odcs.yaml").read_text(encoding="utf-8")
    start, end = old.index("      - name: duration_s\n"), old.index("    quality:\n")
    text = old[:start] + LENGTH + old[end:]
    contract = folder / "contracts" / "calls.v2.odcs.yaml"
    contract.write_text(text, encoding="utf-8")
    edit(
        contract,
        (f"id: {CALLS}\n", f"id: {CALLS_V2}\n"),
        ("\nversion: 1.0.0", "\nversion: 2.0.0"),
        ("call-center.calls.v1", "call-center.calls.v2"),
    )
    sql = (folder / "calls.sql").read_text(encoding="utf-8")
    new = sql.replace("date_sub('second'", "date_sub('millisecond'").replace(
        "duration_s", "length_ms"
    )
    (folder / "calls.v2.sql").write_text(new, encoding="utf-8")
    edit(folder / "product.yaml", ("\nmanagementPorts:", f"{PORT_V2}\nmanagementPorts:"))


def retire_v1(root: Path) -> None:
    """Take the first major version away: its ports, contract, SQL, cases, and a grant."""
    folder = center(root)
    text = (folder / "product.yaml").read_text(encoding="utf-8")
    start = text.index("  - name: calls\n")
    end = text.index("  - name: calls\n", start + 1)
    (folder / "product.yaml").write_text(text[:start] + text[end:], encoding="utf-8")
    for name in ("contracts/calls.odcs.yaml", "calls.sql", "calls.test.yaml"):
        (folder / name).unlink()
    people = root / "company" / "people.yaml"
    edit(people, (f"contract: {CALLS}-masked\n", "contract: call-center.finished-calls\n"))
