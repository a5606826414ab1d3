"""The drill `tamper`: logs, a topic and a product's storage are broken, and each is found out.

    report = drill_tamper(settings, say=print)

Each case breaks a copy or is undone; the verification must name what was done, and where, and
find nothing where nothing was done or an erasure was. Not here: the cases (`cases`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from mesh.audit.verify import Sources, Verdict, verify
from mesh.drills.bed import PRODUCT, make_bed
from mesh.drills.cases import CASES, Expected
from mesh.drills.ground import Ground
from mesh.drills.kills import mesh_program
from mesh.drills.victims import embedded_broker
from mesh.settings import Settings

__all__ = ["drill_tamper", "try_cases"]

Say = Callable[[str], None]
Verify = Callable[[Sources], Verdict]


def drill_tamper(settings: Settings, cases: Sequence[str], say: Say) -> dict[str, object]:
    """Try *cases*, or all, on a mesh of the drill's own, in a folder that is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="mesh-drill-") as name:
        folder = Path(name)
        say("starting a Kafka and a registry of the drill's own")
        with embedded_broker(folder / "backbone", settings) as broker:
            backbone = broker.backbone
            bed = make_bed(
                folder, broker.endpoint(), backbone.admin, backbone.admin_mechanism, report=say
            )
            say("feeding a product, and logging what it tells")
            ground = Ground.make(bed, mesh_program())
            try:
                return try_cases(ground, cases, say)
            finally:
                ground.product.kill()


def try_cases(
    ground: Ground, cases: Sequence[str], say: Say, verify: Verify = verify
) -> dict[str, object]:
    """Try *cases*, or all."""
    names = [name for name in CASES if not cases or name in cases]
    missed = []
    for number, name in enumerate(names, 1):
        say(f"{number} of {len(names)}: {name}")
        if reason := try_case(ground, name, verify):
            missed.append(f"{name}: {reason}")
    return {"drill": "tamper", "ok": not missed, "cases": len(names), "missed": missed}


def try_case(ground: Ground, name: str, verify: Verify) -> str:
    """Why a case was missed; empty where it was found out and named."""
    with ground.copy(ground.folder / name) as copy:
        expected = CASES[name](copy)
        try:
            with copy.sources() as sources:
                return judged(expected, verify(sources))
        finally:
            copy.undo()


def judged(expected: Expected | None, verdict: Verdict) -> str:
    """What is wrong with a verdict; nothing where it names what was done."""
    found = [str(each) for each in verdict.findings.found]
    elsewhere = [str(each) for each in verdict.findings.found if PRODUCT not in each.place]
    if elsewhere or (expected is None and found):
        return f"nothing was done to {(elsewhere or found)[0]}"
    if expected is None:
        return ""
    fault, what, place = expected
    its = [
        each
        for each in verdict.findings.found
        if (each.fault, each.what) == (fault, what) and each.place.startswith(place)
    ]
    return "" if its else f"{fault} {what} {place} is not among {found[:5]}"
