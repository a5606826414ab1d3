"""The Merkle tree of RFC 6962: its hashes, inclusion and consistency proofs, and their checks.

All of it is computed from perfect subtrees, which somebody else keeps. Not here: where they lie
(`tiles`), who signs a root (`note`), what an entry says (`entry`).
Sources: RFC 6962, section 2.1, for hashes and proofs; RFC 9162, section 2.1, for their checks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import add

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "Nodes",
    "consistency_proof",
    "digests",
    "inclusion_proof",
    "is_consistent",
    "is_included",
    "leaf_hash",
    "leaf_hashes",
    "parents",
    "perfect_root",
    "tree_hash",
]

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()
# Copying a hash that has begun is faster than putting the prefix before each input.
_LEAF, _NODE = hashlib.sha256(b"\0"), hashlib.sha256(b"\1")

# The hash of the perfect subtree of 2**level leaves: by level, and index within the level.
Nodes = Callable[[int, int], bytes]


def digests(begun: hashlib._Hash, texts: Iterable[bytes]) -> list[bytes]:
    """The hash of each of *texts* behind that with which it has *begun*."""
    copy, found = begun.copy, []
    for each in texts:
        one = copy()
        one.update(each)
        found.append(one.digest())
    return found


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry."""
    return digests(_LEAF, [entry])[0]


def leaf_hashes(entries: bytes, size: int) -> list[bytes]:
    """The hashes of entries of *size* bytes each, one after the other."""
    return digests(_LEAF, [entries[at : at + size] for at in range(0, len(entries), size)])


def parent(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return digests(_NODE, [left + right])[0]


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """The hashes of the nodes above *hashes*, whose number is even."""
    return digests(_NODE, map(add, hashes[::2], hashes[1::2]))


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The hash of the perfect subtree over *hashes*, whose number is a power of two."""
    while len(hashes) > 1:
        hashes = parents(hashes)
    return hashes[0]


def perfect_subtrees(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The perfect subtrees, largest first, of which the tree over leaves *begin* to *end* is."""
    while begin < end:
        level = (end - begin).bit_length() - 1
        yield level, begin >> level
        begin += 1 << level


def tree_hash(nodes: Nodes, end: int, begin: int = 0) -> bytes:
    """The hash of the tree over the leaves from *begin* to before *end*.

    *begin* is where a subtree of RFC 6962 may begin: 0, or what such a tree is split at.
    """
    hashes = [nodes(*each) for each in perfect_subtrees(begin, end)]
    if not hashes:
        return EMPTY_ROOT
    root = hashes.pop()
    while hashes:
        root = parent(hashes.pop(), root)
    return root


def split(begin: int, end: int) -> int:
    """Where the tree over *begin* to *end* has its right half."""
    return begin + (1 << ((end - begin - 1).bit_length() - 1))


def inclusion_proof(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """The hashes that lead from the leaf at *index* to the root of the tree of *size* leaves."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    proof, begin, end = [], 0, size
    while end - begin > 1:
        middle = split(begin, end)
        if index < middle:
            proof.append(tree_hash(nodes, end, middle))
            end = middle
        else:
            proof.append(tree_hash(nodes, middle, begin))
            begin = middle
    return proof[::-1]


def consistency_proof(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """The hashes by which the tree of *old* leaves is the beginning of that of *new* leaves."""
    if not 0 < old <= new:
        raise ValueError(f"no tree of {new} leaves can be shown to begin with one of {old}")
    proof, begin, end, is_whole = [], 0, new, True
    while end != old:
        middle = split(begin, end)
        if old <= middle:
            proof.append(tree_hash(nodes, end, middle))
            end = middle
        else:
            proof.append(tree_hash(nodes, middle, begin))
            begin, is_whole = middle, False
    if not is_whole:
        proof.append(tree_hash(nodes, end, begin))
    return proof[::-1]


def is_included(leaf: bytes, index: int, size: int, *, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether *proof* leads from the hash of the leaf at *index* to *root* (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or any(len(each) != HASH_BYTES for each in proof):
        return False
    node, last, found = index, size - 1, leaf
    for each in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = parent(each, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = parent(found, each)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(
    old: int, new: int, *, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Whether *proof* shows the older tree to be the newer one's beginning (RFC 9162, 2.1.4.2).

    Never from size 0: every tree begins with the empty one, so it would show nothing.
    """
    if not 0 < old <= new or any(len(each) != HASH_BYTES for each in proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else [*proof]
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = parent(each, first), parent(each, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = parent(second, each)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
