"""The steps of the drill `kills`: each breaks one thing, and counts it.

A step finds the product alive or dead and may leave it either way; it raises `Stuck` where what
it broke does not come back.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mesh.drills.scene import Scene
from mesh.drills.victims import Process, Stuck, until
from mesh.product.failpoints import COMMIT, POINTS

__all__ = ["Step", "freeze_broker", "kill_at", "plan_steps", "seem_dead"]

# Of these a product meets the first time what it meets once a start.
ONCE = {"initializing", "initialized", "recovering", "recovered", "opening-inputs"}
AFTER_LOSS = {"recovering", "recovered"}
FREEZES_S = (1.0, 3.0, 12.0, 0.3, 6.0, 14.0)
NOTICED_S = 10.0
SLOW_S = 2.0
# It first looks whether the other is alive, for longer than a dead one would be there.
ZOMBIE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is broken, in words and in deed."""

    title: str
    act: Callable[[Scene], None]


def plan_steps(kills: int, chance: random.Random) -> list[Step]:
    """The steps for so many kills at random: all the rest in proportion, and each at least once."""
    steps = [Step(title="the product is killed", act=kill_at_random)] * kills
    for _ in range(max(1, kills // 10)):
        steps += [Step(title=f"killed at {each}", act=partial(kill_at, each)) for each in POINTS]
    steps += [Step(title="Kafka is killed", act=kill_broker)] * max(1, kills // 5)
    for number in range(max(1, kills // 5)):
        seconds = FREEZES_S[number % len(FREEZES_S)]
        act = partial(freeze_broker, seconds)
        steps.append(Step(title=f"Kafka is frozen for {seconds:g} s", act=act))
    steps += [Step(title="Kafka is slow", act=slow_broker)] * max(1, kills // 10)
    hurry = Step(title="commits are cut short", act=partial(cut_short, 1 if kills < 5 else 3))
    steps += [hurry] * max(1, kills // 3)
    zombie = Step(title="a frozen product comes back to find another at work", act=seem_dead)
    steps += [zombie] * max(1, kills // 15)
    chance.shuffle(steps)
    # A recovery needs something that was published.
    return [Step(title="the product starts", act=Scene.go_on), *steps]


def kill_at_random(scene: Scene) -> None:
    """Kill the product at any moment, while it starts or while it works."""
    if scene.product.is_alive() or scene.chance.random() < 0.7:
        scene.work()
        scene.pause(0.05, 0.6)
    else:
        scene.product.start()
        scene.pause(0.3, 2.0)
    scene.product.kill()
    scene.counts["kills"] += 1


def kill_at(point: str, scene: Scene) -> None:
    """Have the product kill itself at a failpoint."""
    scene.product.kill()
    if point in AFTER_LOSS:
        scene.lose_storage()
    times = 1 if point in ONCE else scene.chance.randint(1, 5)
    scene.product.start(f"kill:{point}:{times}")
    code = scene.product.await_death()
    if code != -signal.SIGKILL or not scene.product.said(f"failpoint: kill at {point}"):
        raise Stuck(f"the product did not get to {point}: exit {code}")
    scene.counts[f"at {point}"] += 1


def kill_broker(scene: Scene) -> None:
    """Kill Kafka under way, sometimes together with the product."""
    scene.work()
    scene.pause(0.05, 0.5)
    scene.kafka().kill()
    if scene.chance.random() < 0.3:
        scene.product.kill()
    scene.pause(0.0, 1.5)
    scene.kafka().restart()
    scene.counts["broker_kills"] += 1
    scene.go_on()


def freeze_broker(seconds: float, scene: Scene) -> None:
    """Stop Kafka's time under way; before long the product says that it waits."""
    scene.work()
    scene.pause(0.05, 0.5)
    with scene.kafka().frozen():
        time.sleep(seconds)
        if seconds > NOTICED_S and scene.product.status().get("state") != "waiting":
            raise Stuck(f"Kafka is frozen for {seconds:g} s, and the product does not say so")
    scene.counts["frozen"] += 1
    scene.go_on()


def slow_broker(scene: Scene) -> None:
    """Give Kafka a fifth of its time for a while."""
    scene.work()
    scene.kafka().slow_down(SLOW_S)
    scene.counts["slowed"] += 1
    scene.go_on()


def cut_short(times: int, scene: Scene) -> None:
    """Give every second commit a millisecond, so that its outcome is unknown."""
    scene.product.kill()
    scene.product.start(f"hurry:{COMMIT}:2")
    scene.product.await_said("waiting: publication failed", times)
    scene.counts["timeouts"] += scene.product.said("waiting: publication failed")
    scene.product.kill()


def seem_dead(scene: Scene) -> None:
    """Freeze the product before a commit, let another take its place, and thaw it.

    The other is on another machine, as it were: no lock of a file stands between the two.
    """
    scene.product.kill()
    scene.product.start("freeze:before-commit:3")
    scene.product.await_said("failpoint: freeze")
    zombie, fed = scene.product, scene.feeder.count
    try:
        scene.bed = scene.bed.elsewhere()
        scene.product = Process(scene.bed, scene.program)
        scene.product.start()
        scene.product.await_running()
        # A row of the batch after: what the zombie has not committed is published by now.
        until(lambda: scene.product.rows("postings") > fed, "of the second instance")
        zombie.signal(signal.SIGCONT)
        # Its commit comes at once; then it should end by itself, since another has published.
        try:
            zombie.await_death(ZOMBIE_S)
            scene.counts["zombies_ended"] += 1
        except Stuck:
            zombie.stop()
    finally:
        zombie.kill()
    scene.counts["zombies"] += 1
