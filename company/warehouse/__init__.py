"""The legacy warehouse: what each night brings it, beside its jobs in YAML and SQL."""

from company.warehouse.extracts import Warehouse

__all__ = ["Warehouse"]
