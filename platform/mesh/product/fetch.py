"""What has arrived at a consumer, taken as a batch that is bounded in messages and in bytes.

Not here: which consumers there are, and where they start (`inputs`).
"""

from __future__ import annotations

from confluent_kafka import Consumer, Message

__all__ = ["fetch"]

# consume() slows down above this, measured; less where messages are large, since it counts
# messages and not bytes.
CHUNK, CHUNK_BYTES = 1000, 1024 * 1024
# Bounds one Kafka transaction's fan-out, so that it ends well within its time-out.
BATCH_ROWS = 10_000
# Bounds a batch in memory where messages are large: on its way, each is there ten times.
BATCH_BYTES = 2 * 1024 * 1024


def fetch(consumer: Consumer, timeout_s: float) -> list[Message]:
    """What has arrived at one consumer, up to a batch; waits *timeout_s* for the first."""
    first = consumer.poll(timeout_s)
    messages = [] if first is None else [first]
    # A message's length is its value's.
    size = largest = sum(map(len, messages))
    while messages and len(messages) < BATCH_ROWS and size < BATCH_BYTES:
        wanted = min(CHUNK, BATCH_ROWS - len(messages), max(1, CHUNK_BYTES // max(1, largest)))
        more = consumer.consume(wanted, 0)
        if not more:
            break
        sizes = [len(each) for each in more]
        size, largest = size + sum(sizes), max(largest, *sizes)
        messages += more
    return messages
