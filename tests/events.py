"""OpenLineage events of the shipped products and of others, for tests."""

from __future__ import annotations

from functools import cache
from typing import Any

from mesh.contract.openlineage import SPEC
from mesh.contract.project import Project, load_project
from tests.repository import ROOT

__all__ = ["AT", "CALLS", "STAGING", "event", "project"]

RUN = "8b9d1b62-5f4e-4a88-9b58-31c9d4b0f6f0"
CALLS = "pub.customer-service.call-center.calls.v1"
STAGING = "priv.customer-service.call-center.finished-calls.v1"
AT = "2026-01-31T12:00:00Z"


@cache
def project() -> Project:
    """The shipped products."""
    return load_project(ROOT)


def event(*inputs: str, outputs: tuple[str, ...] = (), at: str = AT, **more: Any) -> dict[str, Any]:
    """A run that read and wrote topics, as a foreign OpenLineage client tells it."""
    return {
        "eventTime": at,
        "eventType": "COMPLETE",
        "producer": "urn:somebody",
        "schemaURL": f"{SPEC}#/$defs/RunEvent",
        "run": {"runId": RUN},
        "job": {"namespace": "elsewhere", "name": "nightly"},
        "inputs": [{"namespace": "kafka://127.0.0.1:9092", "name": each} for each in inputs],
        "outputs": [{"namespace": "kafka://127.0.0.1:9092", "name": each} for each in outputs],
        **more,
    }
