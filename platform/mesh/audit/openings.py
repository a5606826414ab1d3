"""What opens the entries of one log, apart from them so that it can be destroyed.

One after the other in a file, and beside it where each ends; what is destroyed is overwritten.
Not here: what an opening is (`entry`), how those of a key are found (`keyfile`).
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from mesh.audit.entry import unopened
from mesh.audit.files import File, put_whole, translated
from mesh.audit.keyfile import NOTHING, KeyFile, digests_of
from mesh.errors import StorageError, Unproven

__all__ = ["Openings"]

OPENINGS, ENDS, KEYS, ERASED = "openings", "ends", "keys", "erased"
END_BYTES = 8
# So many openings at a time make a file of keys anew.
PIECE = 10_000
# Of so many entries in a row, those that are wanted are read at once.
NEAR = 256


class Openings:
    """The openings of a log whose first *size* entries were signed for; later ones are dropped."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._data, self._ends = File(folder / OPENINGS), File(folder / ENDS)
        self._keys = KeyFile(folder / KEYS)
        self._cut(self._ends, size * END_BYTES)
        self._end = self._bounds(size, size)[0]
        self._cut(self._data, self._end)
        self._keys.cut(size)
        self._erased = read_erased(folder)
        if any(each >= size for each in self._erased):
            self._remember({each: by for each, by in self._erased.items() if each < size})
        for begin in range(self._keys.size, size, PIECE):
            self._add_keys_again(begin, min(begin + PIECE, size))
        # Whatever stopped it: what was to be destroyed is.
        self._wipe(self._erased)

    def add(
        self, begin: int, keys: Sequence[bytes | None], openings: Sequence[bytes | None]
    ) -> None:
        """Write what opens the entries from *begin* on; None is kept nowhere."""
        there = [each or b"" for each in openings]
        ends = self._end + np.cumsum([*map(len, there)])
        digests = digests_of(keys)
        if not all(there):
            pairs = zip(there, digests, strict=True)
            digests = [digest if opening else NOTHING for opening, digest in pairs]
        self._data.write(self._end, b"".join(there))
        self._ends.write(begin * END_BYTES, ends.astype("<u8").tobytes())
        self._keys.put(begin, digests)
        self._end = int(ends[-1])

    def sync(self) -> None:
        """Have what was written on the disk."""
        for each in (self._data, self._ends, self._keys):
            each.sync()

    def destroy(self, entries: Iterable[int], request: str) -> int:
        """Destroy what opens *entries*; how many openings there were.

        That *request* erased them is remembered, also of an entry that never had an opening.
        """
        wanted = sorted({*entries})
        with self._lock:
            gone = len(self._these(wanted))
            # First: what was begun is gone on with, at the next start or when asked again.
            self._remember({**dict.fromkeys(wanted, request), **self._erased})
            self._wipe({*wanted, *(each for each, by in self._erased.items() if by == request)})
        return gone

    def erased(self, begin: int, end: int) -> list[tuple[int, str]]:
        """Index of each entry from *begin* to before *end* that was erased, and by what request."""
        return sorted(each for each in self._erased.items() if begin <= each[0] < end)

    def at(self, index: int) -> bytes | None:
        """What opens one entry, or None where it is kept no more."""
        found = self.since(index, index + 1)
        return found[0][1] if found else None

    def of(self, key: bytes, size: int) -> list[tuple[int, bytes]]:
        """Index and opening of those of the first *size* entries whose message has *key*."""
        [digest] = digests_of([key])
        return self._these(self._keys.places([digest], size)[digest])

    def since(self, begin: int, end: int) -> list[tuple[int, bytes]]:
        """Index and opening of the entries from *begin* to before *end*."""
        end = min(end, self._ends.length // END_BYTES)
        if begin >= end:
            return []
        first, *ends = self._bounds(begin, end)
        data = self._data.read(first, ends[-1])
        found = [data[a - first : b - first] for a, b in pairwise([first, *ends])]
        # Asked after it was read: what is being destroyed was remembered before.
        erased = self._erased
        return [each for each in enumerate(found, begin) if each[1] and each[0] not in erased]

    def before(self, wanted: Sequence[tuple[int, bytes | None]]) -> list[bytes | None]:
        """For each pair of index and key: what opens the entry of the key that came before it."""
        digests = digests_of(key for _, key in wanted)
        end = max((index for index, _ in wanted), default=0)
        places = self._keys.places(digests, end)
        found = []
        for (index, _), digest in zip(wanted, digests, strict=True):
            at = bisect_left(places[digest], index)
            found.append(places[digest][at - 1] if at else None)
        openings = dict(self._these(sorted({each for each in found if each is not None})))
        return [None if each is None else openings.get(each) for each in found]

    def latest(self, size: int) -> list[tuple[int, bytes]]:
        """Index and opening of the last entry of each key among the first *size*, in order."""
        return self._these(self._keys.last_of_each(size))

    def close(self) -> None:
        """Let go of the files."""
        for each in (self._data, self._ends, self._keys):
            each.close()

    def _these(self, entries: Sequence[int]) -> list[tuple[int, bytes]]:
        """Index and opening of these entries, in order."""
        found = []
        for _, group in groupby(entries, lambda each: each // NEAR):
            near = [*group]
            wanted = {*near}
            found += [each for each in self.since(near[0], near[-1] + 1) if each[0] in wanted]
        return found

    def _bounds(self, begin: int, end: int) -> list[int]:
        """Where the opening of entry *begin* begins, and where each before *end* ends."""
        data = self._ends.read(max(0, begin - 1) * END_BYTES, end * END_BYTES)
        ends: list[int] = np.frombuffer(data, "<u8").tolist()
        return ends if begin else [0, *ends]

    def _cut(self, file: File, length: int) -> None:
        """Drop what was never signed for. Raises `Unproven` where signed for is more."""
        if file.length < length:
            raise Unproven(
                f"{self._folder} is damaged: a file of openings has {file.length} bytes and not "
                f"{length}; put the folder back from a copy"
            )
        file.cut(length)

    def _remember(self, erased: Mapping[int, str]) -> None:
        """Have on the disk what was erased by whom, by request."""
        requests: dict[str, list[int]] = {}
        for entry, request in erased.items():
            requests.setdefault(request, []).append(entry)
        put_whole(self._folder / ERASED, json.dumps(requests))
        self._erased = {**erased}

    def _wipe(self, entries: Collection[int]) -> None:
        """Overwrite what opens *entries*, and the digests of their keys."""
        if not entries:
            return
        self._keys.forget(entries)
        for each in entries:
            begin, end = self._bounds(each, each + 1)
            self._data.write(begin, bytes(end - begin))
        self.sync()

    def _add_keys_again(self, begin: int, end: int) -> None:
        """Make the keys of entries of their openings, where the file of keys is too short."""
        digests = [NOTHING] * (end - begin)
        for index, opening in self.since(begin, end):
            digests[index - begin] = digests_of([unopened(opening).key])[0]
        self._keys.put(begin, digests)


def read_erased(folder: Path) -> dict[int, str]:
    """Which entries were erased, and by what request."""
    path = folder / ERASED
    with translated(path):
        text = path.read_text("utf-8") if path.exists() else "{}"
    try:
        requests: dict[str, list[int]] = json.loads(text)
        return {int(entry): request for request, found in requests.items() for entry in found}
    except (ValueError, AttributeError, TypeError) as error:
        raise StorageError(f"{path} is damaged; put {folder} back from a copy") from error
