"""Gives a product of the tests a second port, in which its first is masked."""

from __future__ import annotations

from pathlib import Path

__all__ = ["mask_port"]

MASKED = """  - name: {port}-masked
    version: 1.0.0
    contractId: {product}.{port}-masked
    customProperties: [{{property: maskedFrom, value: {port}}}]
"""


def mask_port(root: Path, contract_id: str, how: str = "") -> None:
    """Give a product below *root* a second port that masks its first; its number is hashed.

    With *how*, the number is not personal, and the seconds are masked in that way.
    """
    product, port = contract_id.split(".")
    folder = root / "products" / product.replace("-", "_")
    path = folder / "product.yaml"
    text = path.read_text(encoding="utf-8")
    masked = MASKED.format(product=product, port=port)
    path.write_text(text.replace("managementPorts:", f"{masked}managementPorts:"), "utf-8")
    if how:
        path = folder / "contracts" / f"{port}.odcs.yaml"
        text = path.read_text(encoding="utf-8").replace(
            "personal, value: true", "personal, value: false"
        )
        marks = (
            f"customProperties: [{{property: masked, value: {how}}}],\n         logicalTypeOptions"
        )
        path.write_text(text.replace("logicalTypeOptions", marks), "utf-8")
