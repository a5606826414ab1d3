"""The names of the change audit log: its principal and its service; and those of erasures."""

from __future__ import annotations

__all__ = ["AUDIT", "AUDIT_SERVICE", "ERASER", "ERASURES_TOPIC"]

AUDIT = "mesh-audit"
AUDIT_SERVICE = "audit"
ERASER = "mesh-erasure"
# What was erased, by whose request and when; never of whom.
ERASURES_TOPIC = "pub.mesh.audit.erasures.v1"
