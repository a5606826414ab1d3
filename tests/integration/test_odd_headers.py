"""A header whose name is no UTF-8: Kafka takes the message, and its client cannot say the name."""

from __future__ import annotations

import ctypes
from pathlib import Path

import confluent_kafka
import pytest

from mesh.audit.reading import columns_of
from tests.stream import PRODUCT, calls, messages, published_ids, run, staged

pytestmark = [pytest.mark.broker]

# Of `rd_kafka_producev` (rdkafka.h): what each argument behind it is.
END, TOPIC, VALUE, KEY, FLAGS, HEADER = 0, 1, 4, 5, 7, 9
COPIED = 2
PRODUCER = 0


@pytest.fixture
def librdkafka() -> ctypes.CDLL:
    """The client's own library, since its Python has no such names."""
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    found = [*folder.glob("librdkafka*")]
    if not found:
        pytest.skip("this client has no library of its own")
    library = ctypes.CDLL(str(found[0]))
    library.rd_kafka_conf_new.restype = ctypes.c_void_p
    library.rd_kafka_new.restype = ctypes.c_void_p
    return library


def send(library, settings, topic, key, value, header):
    """Send one message with a header of any name."""
    told = ctypes.create_string_buffer(512)
    size = ctypes.c_size_t
    configuration = ctypes.c_void_p(library.rd_kafka_conf_new())
    for name, text in settings.items():
        library.rd_kafka_conf_set(
            configuration, name.encode(), str(text).encode(), told, size(len(told))
        )
    client = ctypes.c_void_p(library.rd_kafka_new(PRODUCER, configuration, told, size(len(told))))
    assert client.value, told.value
    # fmt: off
    assert library.rd_kafka_producev(
        client,
        TOPIC, ctypes.c_char_p(topic.encode()), FLAGS, COPIED,
        KEY, ctypes.c_char_p(key), size(len(key)), VALUE, ctypes.c_char_p(value), size(len(value)),
        HEADER, ctypes.c_char_p(header), ctypes.c_char_p(b"v"), ctypes.c_ssize_t(1), END,
    ) == 0
    # fmt: on
    assert library.rd_kafka_flush(client, 10_000) == 0
    library.rd_kafka_destroy(client)


def test_it_is_taken_in_as_a_message_without_headers_and_withheld_by_the_log(workbench, librdkafka):
    contract, system = workbench.staging(PRODUCT)
    (good,) = messages(workbench, calls(1).to_pylist())
    settings = {
        name: value
        for name, value in workbench.backbone.endpoint.client(system).items()
        if isinstance(value, str | int)
    }
    send(librdkafka, settings, contract.topic, good["key"], good["value"], b"na\xffme")

    assert [*columns_of(staged(workbench)).unread] == [0]
    run(workbench, 1)
    assert len(published_ids(workbench)) == 1
