"""The tree of RFC 6962: against its definition, against vectors of Go's, and against forgers."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.audit.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    tree_hash,
)
from mesh.audit.tiles import WIDTH, Growth, Tile, level_sizes, nodes_of

VECTORS = json.loads((Path(__file__).parents[1] / "fixtures/audit-vectors.json").read_text())
LARGEST = 1000


class Tree:
    """The tree over the texts leaf-0, leaf-1, …, grown by batches."""

    def __init__(self, *batches):
        self.levels = []
        for count in batches:
            growth = Growth(self.size, self.read)
            leaves = [leaf_hash(b"leaf-%d" % (self.size + each)) for each in range(count)]
            for level, data in enumerate(growth.add(leaves)):
                if level == len(self.levels):
                    self.levels.append(b"")
                self.levels[level] += data
        self.nodes = nodes_of(self.read)

    @property
    def size(self):
        return len(self.levels[0]) // HASH_BYTES if self.levels else 0

    def read(self, level, begin, end):
        return self.levels[level][begin * HASH_BYTES : end * HASH_BYTES]

    def root(self, size):
        return tree_hash(self.nodes, size)


WHOLE = Tree(LARGEST)


def defined(leaves):
    """The Merkle Tree Hash, word for word as the RFC defines it."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\0" + leaves[0]).digest() if leaves else EMPTY_ROOT
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    below = defined(leaves[:half]) + defined(leaves[half:])
    return hashlib.sha256(b"\1" + below).digest()


def unpacked(texts):
    return [base64.b64decode(each) for each in texts or ()]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 9, 255, 256, 257, 700])
def test_the_root_is_the_one_that_the_rfc_defines(size):
    assert WHOLE.root(size) == defined([b"leaf-%d" % each for each in range(size)])


def test_roots_and_proofs_are_those_of_another_implementation():
    for each in VECTORS["trees"]:
        assert WHOLE.root(each["size"]) == base64.b64decode(each["root"])
    for each in VECTORS["inclusion"]:
        found = inclusion_proof(WHOLE.nodes, each["index"], each["size"])
        assert found == unpacked(each["proof"])
    for each in VECTORS["consistency"]:
        found = consistency_proof(WHOLE.nodes, each["old"], each["new"])
        assert found == unpacked(each["proof"])
    assert [len(VECTORS[each]) for each in ("trees", "inclusion", "consistency")] == [21, 80, 210]


def test_proofs_of_another_implementation_are_believed():
    roots = {each["size"]: base64.b64decode(each["root"]) for each in VECTORS["trees"]}
    for each in VECTORS["inclusion"]:
        index, size = each["index"], each["size"]
        leaf, proof = leaf_hash(b"leaf-%d" % index), unpacked(each["proof"])
        assert is_included(leaf, index, size, proof=proof, root=roots[size])
    for each in VECTORS["consistency"]:
        old, new, proof = each["old"], each["new"], unpacked(each["proof"])
        assert is_consistent(old, new, proof=proof, old_root=roots[old], new_root=roots[new])


@given(st.lists(st.integers(0, 400), max_size=5))
def test_a_tree_is_the_same_however_it_was_cut_into_batches(batches):
    tree = Tree(*batches)
    whole = Tree(sum(batches))

    assert tree.levels == whole.levels
    assert [len(each) // HASH_BYTES for each in tree.levels] == level_sizes(tree.size)


sizes = st.integers(1, LARGEST)
places = sizes.flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size)))
pairs = sizes.flatmap(lambda new: st.tuples(st.integers(1, new), st.just(new)))
bits = st.integers(0, 8 * HASH_BYTES - 1)


def flipped(data, bit):
    """*data* with one bit turned."""
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


@given(places, bits, st.data())
def test_an_entry_is_proven_at_its_place_and_nothing_else_is(place, bit, data):
    index, size = place
    leaf, root = leaf_hash(b"leaf-%d" % index), WHOLE.root(size)
    proof = inclusion_proof(WHOLE.nodes, index, size)
    elsewhere = data.draw(st.integers(0, LARGEST).filter(lambda other: other != index))

    assert is_included(leaf, index, size, proof=proof, root=root)
    assert not is_included(flipped(leaf, bit), index, size, proof=proof, root=root)
    assert not is_included(leaf, index, size, proof=proof, root=flipped(root, bit))
    assert not is_included(leaf, elsewhere, size, proof=proof, root=root)
    assert not is_included(leaf, index, size, proof=[*proof, root], root=root)
    assert not is_included(leaf, -1, size, proof=proof, root=root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
        assert not is_included(leaf, index, size, proof=changed, root=root)
        assert not is_included(leaf, index, size, proof=proof[:-1], root=root)


@given(pairs, bits, st.data())
def test_a_tree_is_shown_to_begin_with_an_older_one_and_with_no_other(pair, bit, data):
    old, new = pair
    roots = {"old_root": WHOLE.root(old), "new_root": WHOLE.root(new)}
    proof = consistency_proof(WHOLE.nodes, old, new)

    assert is_consistent(old, new, proof=proof, **roots)
    for name, root in roots.items():
        changed = {**roots, name: flipped(root, bit)}
        assert not is_consistent(old, new, proof=proof, **changed)
    assert not is_consistent(old, new, proof=[*proof, WHOLE.root(1)], **roots)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        other = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
        assert not is_consistent(old, new, proof=other, **roots)
        assert not is_consistent(old, new, proof=proof[:-1], **roots)


@pytest.mark.parametrize("new", [0, 1, 5])
def test_nothing_is_shown_from_an_empty_tree(new):
    roots = {"old_root": EMPTY_ROOT, "new_root": WHOLE.root(new)}

    assert not is_consistent(0, new, proof=[], **roots)
    with pytest.raises(ValueError, match="can be shown"):
        consistency_proof(WHOLE.nodes, 0, new)


def test_a_newer_tree_does_not_come_before_an_older_one():
    with pytest.raises(ValueError, match="can be shown"):
        consistency_proof(WHOLE.nodes, 6, 5)
    with pytest.raises(ValueError, match="no leaf 5"):
        inclusion_proof(WHOLE.nodes, 5, 5)


@pytest.mark.parametrize(
    ("tile", "name"),
    [
        (Tile(level=0, index=0), "0/000"),
        (Tile(level=1, index=1234067), "1/x001/x234/067"),
        (Tile(level=63, index=999, width=1), "63/999.p/1"),
        (Tile(level=0, index=1000, width=255), "0/x001/000.p/255"),
    ],
)
def test_a_tile_has_the_name_that_c2sp_gives_it(tile, name):
    assert tile.name == name
    assert Tile.named(name) == tile


@pytest.mark.parametrize(
    "name",
    ["", "0/1", "0/0001", "00/000", "64/000", "0/x000/000", "0/000.p/0", "0/000.p/256",
     "0/000.p/01", "0/x001/x234", "0/000/", "-1/000", "0/000.p/300", "0/\u0660\u0660\u0660"],
)  # fmt: skip
def test_what_is_not_a_tiles_only_name_is_none(name):
    assert Tile.named(name) is None


@given(st.integers(0, 63), st.integers(0, 10**12), st.integers(1, WIDTH))
def test_a_tiles_name_leads_back_to_it(level, index, width):
    tile = Tile(level=level, index=index, width=width)

    assert Tile.named(tile.name) == tile
