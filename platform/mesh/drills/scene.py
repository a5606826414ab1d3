"""What the steps of a drill act on: one product at work, fed and watched."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mesh.drills.bed import PRODUCT, Bed
from mesh.drills.feeder import Feeder
from mesh.drills.victims import Broker, Process, until
from mesh.drills.watcher import Watcher
from mesh.errors import MeshError

__all__ = ["Scene"]


@dataclass(slots=True, kw_only=True)
class Scene:
    """One drill under way. *counts* say how often what was done."""

    bed: Bed
    program: Sequence[str]
    feeder: Feeder
    watcher: Watcher
    product: Process
    chance: random.Random
    broker: Broker | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def work(self) -> None:
        """Have the product run, with nothing armed."""
        if not self.product.is_alive():
            self.product.start()
        self.product.await_running()

    def go_on(self) -> None:
        """Wait until a reader has seen as much as is fed by now. Raises `Stuck` if it does not."""
        self.work()
        fed = len(self.feeder.entries)
        until(lambda: self.watcher.count >= fed, f"{fed} entries are fed; of the last of them")

    def pause(self, least_s: float, most_s: float) -> None:
        """Wait for some time within these bounds."""
        time.sleep(self.chance.uniform(least_s, most_s))

    def lose_storage(self) -> None:
        """Remove the storage of the product, which does not run."""
        shutil.rmtree(self.bed.home.storage(PRODUCT).parent)

    def kafka(self) -> Broker:
        """The broker that may be broken."""
        if self.broker is None:
            raise MeshError("this Kafka is not the drill's to break")
        return self.broker
