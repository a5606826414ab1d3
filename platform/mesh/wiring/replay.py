"""Makes the storage of a product anew from the topics, while the product is held.

The old storage stands aside until the new one is where it may go on; if that fails, it is put
back. Not here: whether a replay may be (`mesh.product.replay`), and the recovery itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.contract.project import Project
from mesh.control.holds import hold
from mesh.errors import AlreadyRunning, StorageError, Unreachable
from mesh.home import Home
from mesh.product.plan import Plan, plan_product, position_topic
from mesh.product.position import Position
from mesh.product.relay import Relay, RelayFailed
from mesh.product.replay import check_replay
from mesh.product.runtime import Runtime
from mesh.product.storage import Storage
from mesh.settings import Settings
from mesh.wiring.accepted import watching

__all__ = ["Replay", "Replayed", "prepare_replay"]

Say = Callable[[str], None]

STOP_TIMEOUT_S = 20.0
POLL_S = 0.2
TELL_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of a replay."""

    seconds: float
    rows: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A replay that may be; *gaps* says what it cannot bring back."""

    plan: Plan
    home: Home
    make_runtime: Callable[[Storage, Say], Runtime]
    position: Position | None
    gaps: tuple[str, ...]

    def run(self, say: Say) -> Replayed:
        """Hold the product, make its storage anew, let it go. Raises a `MeshError` if it fails."""
        began = time.monotonic()
        product = self.plan.product.id
        path = self.home.storage(product)
        say(f"stopping {product}")
        with hold(self.home, product):
            self._wait_until_stopped(path)
            with set_aside(path):
                rows = self._rebuild(path, say)
        return Replayed(seconds=time.monotonic() - began, rows=rows)

    def _wait_until_stopped(self, path: Path) -> None:
        """Wait until no process has the storage; it has then published all it holds."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while True:
            try:
                storage = Storage.open(path, self.plan.tables)
            except AlreadyRunning as error:
                if time.monotonic() > deadline:
                    raise AlreadyRunning(f"{error}: stop it there, and ask again") from error
                time.sleep(POLL_S)
            else:
                break
        try:
            is_known = self.position is None or storage.knows(self.position)
            if is_known and any(storage.unpublished(self.position)):
                raise StorageError(
                    f"the storage of {self.plan.product.id} holds what is not published yet: "
                    "let the product run first, and ask again"
                )
        finally:
            storage.close()

    def _rebuild(self, path: Path, say: Say) -> dict[str, int]:
        """Run a new storage until it may go on; how many rows each port has then."""
        storage = Storage.open(path, self.plan.tables)
        try:
            runtime = self.make_runtime(storage, say)
            with telling(runtime, say):
                run_until_recovered(runtime, say)
            return {
                each.port.name: storage.connection.execute(
                    f'select count(*) from main."{each.contract.name}"'
                ).fetchall()[0][0]
                for each in self.plan.outputs
            }
        finally:
            storage.close()


def prepare_replay(settings: Settings, home: Home, project: Project, product: str) -> Replay:
    """Look whether *product* may be replayed; nothing is touched.

    Raises `StorageError` with what is missing where it may not.
    """
    plan = plan_product(project, product, home.mask_key)
    endpoint = find_endpoint(settings, home)
    principal = Principal(name=product, secret=home.secret(product))
    with watching(project, product, endpoint, principal, lambda _: None) as watch:
        # Those that joined by the catalogue too, or what they have said would be taken back.
        plan = (watch and watch.changed(plan)) or plan
    topic = position_topic(plan.product)
    relay = Relay(endpoint, principal, position_topic=topic, source=f"/{product}")
    position = relay.position()
    return Replay(
        plan=plan,
        home=home,
        make_runtime=lambda storage, say: Runtime(
            plan, storage, endpoint=endpoint, principal=principal, log=say
        ),
        position=position,
        gaps=check_replay(plan, position, endpoint, principal),
    )


def run_until_recovered(runtime: Runtime, say: Say) -> None:
    """Step *runtime* until it may go on; waits out an absent Kafka."""
    try:
        while runtime.progress.state != "running":
            try:
                runtime.step(POLL_S)
            except (Unreachable, RelayFailed) as error:
                say(f"waiting: {error}")
                time.sleep(TELL_EVERY_S)
    finally:
        runtime.close()


@contextmanager
def telling(runtime: Runtime, say: Say) -> Iterator[None]:
    """Say how much is left, for the time of a block."""
    is_over = threading.Event()

    def tell() -> None:
        while not is_over.wait(TELL_EVERY_S):
            say(f"rebuilding: {runtime.progress.lag:,} messages to read")

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextmanager
def set_aside(path: Path) -> Iterator[None]:
    """Put the storage at *path* aside; gone after the block, and back again if that fails."""
    log = path.with_name(f"{path.name}.wal")
    aside, aside_log = path.with_name("storage.old"), path.with_name("storage.old.wal")
    # The log first: a file without its log is torn, which is recovered; a log with another
    # file is not.
    for old, new in ((log, aside_log), (path, aside)):
        with suppress(FileNotFoundError):
            old.replace(new)
    try:
        yield
    except BaseException:
        for new, old in ((path, aside), (log, aside_log)):
            new.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                old.replace(new)
        raise
    for each in (aside, aside_log):
        each.unlink(missing_ok=True)
