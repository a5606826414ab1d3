"""The names of the change audit log: its principal and its service."""

from __future__ import annotations

__all__ = ["AUDIT", "AUDIT_SERVICE"]

AUDIT = "mesh-audit"
AUDIT_SERVICE = "audit"
