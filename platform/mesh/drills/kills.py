"""The drill `kills`: everything dies at every point while it works, and nothing is lost or doubled.

    report = drill_kills(settings, Scale(kills=30, rate=500), say=print)

A steady feed goes on while the product is killed at random and at each failpoint, Kafka is
killed, frozen and slowed down, commits are cut short, and a second instance takes over from one
that only seemed dead. Then what a concurrent reader saw is compared with what was fed.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.drills.bed import Bed, make_bed
from mesh.drills.feeder import Feeder
from mesh.drills.scene import Scene
from mesh.drills.steps import Step, plan_steps
from mesh.drills.truth import judge
from mesh.drills.victims import Broker, Process, Stuck, embedded_broker
from mesh.drills.watcher import Watcher
from mesh.product.failpoints import POINTS
from mesh.settings import Settings

__all__ = ["Drill", "Scale", "drill_kills", "mesh_program"]

Say = Callable[[str], None]
COUNTED = ("broker_kills", "frozen", "slowed", "timeouts", "zombies", "zombies_ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large a drill is. *kills* decides how often everything else happens too."""

    kills: int = 5
    rate: int = 500
    seconds: float = 0.0
    seed: int = 1


def mesh_program() -> tuple[str, ...]:
    """What runs `mesh` in a process of its own."""
    return (sys.executable, "-P", "-m", "mesh")


def drill_kills(settings: Settings, scale: Scale, say: Say) -> dict[str, object]:
    """Run the whole drill on a Kafka of its own, in a folder that is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="mesh-drill-") as name:
        folder = Path(name)
        say("starting a Kafka and a registry of the drill's own")
        with embedded_broker(folder / "backbone", settings) as broker:
            backbone = broker.backbone
            bed = make_bed(
                folder, broker.endpoint(), backbone.admin, backbone.admin_mechanism, report=say
            )
            drill = Drill(bed, scale, say=say, broker=broker)
            return drill.run(plan_steps(scale.kills, random.Random(scale.seed)))  # noqa: S311 - a drill that can be repeated


class Drill:
    """One drill on *bed*; *program* runs the product, and *broker* may be broken."""

    def __init__(
        self,
        bed: Bed,
        scale: Scale,
        *,
        say: Say,
        broker: Broker | None = None,
        program: Sequence[str] = (),
    ) -> None:
        program = program or mesh_program()
        self._scale, self._say = scale, say
        self._scene = Scene(
            bed=bed,
            program=program,
            feeder=Feeder(bed, scale.rate),
            watcher=Watcher(bed),
            product=Process(bed, program),
            chance=random.Random(scale.seed),  # noqa: S311 - a drill that can be repeated
            broker=broker,
        )

    def run(self, steps: Sequence[Step]) -> dict[str, object]:
        """Take the *steps* while the product is fed and watched; the whole result."""
        scene, began, stuck = self._scene, time.monotonic(), ""
        scene.feeder.start()
        scene.watcher.start()
        try:
            try:
                self._take(steps)
            except Stuck as error:
                stuck = str(error)
                self._say(stuck)
            scene.feeder.stop()
            return self._result(steps, time.monotonic() - began, stuck)
        finally:
            scene.product.kill()
            scene.feeder.end()
            scene.watcher.end()

    def _take(self, steps: Sequence[Step]) -> None:
        """Do one step after the other, then let everything be published."""
        scene, began = self._scene, time.monotonic()
        for number, step in enumerate(steps, 1):
            self._say(f"{number} of {len(steps)}: {step.title}")
            step.act(scene)
        while time.monotonic() - began < self._scale.seconds:
            time.sleep(0.1)
        self._say("waiting until all is published")
        scene.feeder.stop()
        scene.go_on()
        scene.product.stop()

    def _result(self, steps: Sequence[Step], seconds: float, stuck: str) -> dict[str, object]:
        """The verdict, after one more look at what is on the topics."""
        scene = self._scene
        scene.product.kill()
        self._say("comparing what was seen with what was fed")
        otherwise = scene.watcher.await_end()
        verdict = judge(scene.feeder.entries, scene.watcher.postings(), scene.watcher.totals())
        stuck = stuck or scene.watcher.trouble
        counts = scene.counts
        return {
            "drill": "kills",
            "ok": verdict.is_good and not otherwise and not stuck and bool(scene.feeder.count),
            "events": scene.feeder.count,
            "seconds": round(seconds),
            "kills": counts["kills"],
            "failpoints": {each: counts[f"at {each}"] for each in POINTS},
            **{each: counts[each] for each in COUNTED},
            "lost": verdict.lost,
            "doubled": verdict.doubled,
            "out_of_order": verdict.out_of_order,
            "wrong": verdict.wrong,
            "seen_otherwise": otherwise,
            "stuck": stuck,
        }
