"""What the audit log says of messages: entries, commitments, proofs; and what forgers may try."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.audit.entry import ENTRY_BYTES, Entry, sealed
from mesh.audit.opening import Columns, Message, opening_of, openings_of, unopened
from mesh.audit.origin import LogName
from mesh.audit.proof import Proof, verified
from mesh.errors import MeshError, Unproven
from tests.audit import NAME, Log, columns, key_of, salt


@pytest.fixture(scope="module")
def log():
    found = Log()
    found.add(columns(300))
    return found


def test_the_origin_names_topic_topic_id_and_partition():
    assert str(NAME) == "mesh.test/audit/pub.a.b.c.v1/AAECAwQFBgcICQoLDA0ODw/3"
    assert LogName.parse(str(NAME)) == NAME
    for text in ("", "a/b/c/d", "m/t/AAECAwQFBgcICQoLDA0ODw/x", "t/AAECAwQFBgcICQoLDA0ODw/1",
                 "m/t/AAECAwQFBgcICQoLDA0ODx/1"):  # fmt: skip
        with pytest.raises(Unproven):
            LogName.parse(text)


def test_an_entry_says_in_clear_where_and_when_and_no_more(log):
    entry = Entry.parse(log.entry(7))

    assert ENTRY_BYTES == len(log.entry(7)) == 70
    assert (entry.kind, entry.topic_id, entry.partition) == ("salted", NAME.topic_id, 3)
    assert (entry.offset, entry.timestamp_ms) == (14, 1007)
    assert b"key-0" not in log.entries
    assert b"value" not in log.entries


names = st.sampled_from(["salt", "ce_id", "é"])
data = st.none() | st.binary(max_size=3) | st.just(bytes(32))


@given(st.data())
def test_messages_are_opened_together_as_each_would_be(given_):
    """Of one shape, as a product's are, and of any."""
    shape = given_.draw(st.lists(names, max_size=4))
    alike = st.tuples(*(st.tuples(st.just(each), data) for each in shape))
    as_many = st.tuples(*(st.tuples(names, data) for _ in shape))
    other = st.lists(st.tuples(st.just("salt"), data), min_size=1, max_size=3)
    headers = given_.draw(
        st.lists(alike) | st.lists(as_many, min_size=2) | st.lists(other, min_size=2)
    )
    keys, values = (
        given_.draw(st.lists(data, min_size=len(headers), max_size=len(headers))) for _ in range(2)
    )
    numbers = [*range(len(headers))]
    messages = Columns(
        offsets=numbers, timestamps_ms=numbers, headers=headers, keys=keys, values=values
    )

    rows = [*zip(headers, keys, values, strict=True)]
    assert openings_of(messages) == (
        [opening_of(*each) for each in rows],
        [Message(headers=each, key=None, value=None).is_salted for each in headers],
    )


def test_a_commitment_is_the_hash_of_salt_headers_key_and_value(log):
    headers = [("ce_id", b"x"), ("salt", salt(7))]
    parts = [b"ce_id", b"x", b"salt", salt(7), b"key-0", b"value-7"]
    written = b"".join(len(each).to_bytes(4, "big") + each for each in parts)

    opening = (2).to_bytes(4, "big") + written
    assert opening_of(headers, b"key-0", b"value-7") == opening == log.openings[7]
    assert Entry.parse(log.entry(7)).commitment == hashlib.sha256(opening).digest()


texts = st.binary(max_size=6)
headers = st.lists(st.tuples(st.text(max_size=4), st.none() | texts), max_size=3)
messages = st.tuples(headers, st.none() | texts, st.none() | texts)


@given(messages, messages)
def test_two_messages_have_one_opening_only_if_they_are_equal(one, other):
    found = unopened(opening_of(*one))

    assert (list(found.headers), found.key, found.value) == one
    assert (opening_of(*one) == opening_of(*other)) == (one == other)


@given(st.binary(max_size=60))
def test_what_is_no_opening_is_refused_and_never_a_fault(data):
    try:
        found = unopened(data)
    except MeshError:
        return
    assert opening_of(found.headers, found.key, found.value) is not None


def test_a_message_without_a_salt_is_marked():
    log = Log()
    log.add(columns(2, is_salted=False))

    assert Entry.parse(log.entry(0)).kind == "unsalted"
    assert verified(str(log.proof(0)), log.key.log_key).message is not None


def test_a_message_without_a_salt_is_withheld_where_fields_are_personal():
    log = Log()
    log.add(columns(2, is_salted=False), needs_salt=True)
    log.add(columns(1, 2), needs_salt=True)
    entry = Entry.parse(log.entry(0))

    assert (entry.kind, entry.commitment, log.openings[0]) == ("withheld", bytes(32), None)
    assert not entry.is_of(b"")
    assert Entry.parse(log.entry(2)).kind == "salted"
    assert verified(str(log.proof(0)), log.key.log_key).message is None


@pytest.mark.parametrize("salts", [[b"short"], [None], [salt(1), salt(2)]])
def test_a_salt_of_another_kind_is_none(salts):
    log = Log()
    messages = columns(1)
    messages.headers[0][:] = [("salt", each) for each in salts]
    log.add(messages)

    assert Entry.parse(log.entry(0)).kind == "unsalted"


def test_a_second_reader_of_the_same_messages_gets_the_same_root(log):
    other = Log()
    for begin in range(0, 300, 7):
        other.add(columns(min(7, 300 - begin), begin))

    assert other.checkpoint() == log.checkpoint()


def test_a_proof_shows_the_message_to_whoever_has_the_key(log):
    found = verified(str(log.proof(123)), log.key.log_key)

    assert (found.log, found.index, found.size) == (NAME, 123, 300)
    assert found.entry.offset == 246
    assert found.message.value == b"value-123"
    assert found.message.is_salted


def test_a_proof_of_what_was_erased_still_holds(log):
    proof = log.proof(123)
    erased = Proof(
        entry=proof.entry, opening=None, index=123, hashes=proof.hashes, checkpoint=proof.checkpoint
    )
    found = verified(str(erased), log.key.log_key)

    assert (found.entry.offset, found.message) == (246, None)


def test_a_proof_reads_back_as_it_was_written(log):
    proof = log.proof(299)

    assert Proof.parse(str(proof)) == proof


@given(st.data())
def test_no_altered_proof_shows_anything_else(log, data):
    text = str(log.proof(data.draw(st.integers(0, 299))))
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.sampled_from(["", "A", "0", "1", "\n", " ", "+", "é", text[at] * 2]))
    changed = text[:at] + put + text[at + 1 :]
    honest = verified(text, log.key.log_key)

    try:
        found = verified(changed, log.key.log_key)
    except MeshError:
        return
    assert found == honest


def test_a_proof_for_another_log_of_the_same_mesh_is_not_taken(log):
    other = Log(name=LogName(mesh=NAME.mesh, topic=NAME.topic, topic_id=bytes(16), partition=3))
    other.entries, other.openings, other.levels = log.entries, log.openings, log.levels

    with pytest.raises(Unproven, match="of another topic"):
        verified(str(other.proof(0)), key_of(NAME.mesh).log_key)


def test_a_message_whose_headers_cannot_be_read_is_withheld():
    found = columns(3)
    entries, openings = sealed(replace(found, unread=[1]), bytes(16), 0, needs_salt=False)

    kinds = [
        Entry.parse(entries[at : at + ENTRY_BYTES]).kind
        for at in range(0, len(entries), ENTRY_BYTES)
    ]
    assert (kinds[1], openings[1]) == ("withheld", None)
    assert "withheld" not in (kinds[0], kinds[2])
