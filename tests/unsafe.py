"""`mesh` without one of its safeguards, run as a script, for tests in which a drill must go red.

    python tests/unsafe.py position run ledger

The switch is here and nowhere else: no setting of the mesh takes a safeguard away.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mesh.__main__ import run
from mesh.product import relay
from mesh.product.failpoints import reach
from mesh.product.relay import POSITION_KEY, Relay, produce
from mesh.product.storage import Storage

SCRIPT = str(Path(__file__).absolute())


def without_fencing() -> None:
    """Each instance is a producer of its own, so that none ends the transactions of another."""
    producer, home = relay.Producer, Path(os.environ["MESH_HOME"]).name

    def unfenced(config):
        return producer({**config, "transactional.id": f"{config['transactional.id']}.{home}"})

    relay.Producer = unfenced
    # Else the broker might end the transaction of the frozen one, which is a safeguard too.
    relay.TRANSACTION_TIMEOUT_MS = 60_000


def without_position() -> None:
    """What was published is not read back: the outbox is believed."""
    opened = Relay.open

    def open_blindly(self, *arguments):
        opened(self, *arguments)

    Relay.open = open_blindly
    Storage.is_outbox_whole = lambda _: True


def without_one_transaction() -> None:
    """Messages and position are committed one after the other."""

    def publish_apart(self, batch):
        self._producer.begin_transaction()
        for message in self._messages(batch):
            produce(self._producer, message)
        self._producer.commit_transaction()
        reach("before-commit")
        self._producer.begin_transaction()
        value = batch.position.to_json()
        produce(self._producer, (self._position_topic, value, POSITION_KEY, []))
        self._producer.commit_transaction()

    Relay.publish = publish_apart


SWITCHES = {
    "fencing": without_fencing,
    "position": without_position,
    "one-transaction": without_one_transaction,
}

if __name__ == "__main__":
    SWITCHES[sys.argv.pop(1)]()
    run()
