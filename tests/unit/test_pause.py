"""Pausing: kept in a file, taken up between batches, told with who and when."""

from __future__ import annotations

import pytest

from mesh.errors import StorageError, Unreachable
from mesh.product.pause import Pause, Rest


class Inputs:
    """Inputs with a known lag."""

    def __init__(self, lag: int = 5, *, unread: int = 0, trouble: bool = False) -> None:
        self.waiting, self.unread, self.trouble = lag, unread, trouble
        self.is_closed = False

    def lag(self, *, is_fresh: bool = False) -> int:
        assert is_fresh
        if self.trouble:
            raise Unreachable("no broker")
        return self.waiting

    def drain(self, timeout_s: float) -> dict[str, list[None]]:
        return {"t": [None] * self.unread}

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pause.json"


@pytest.fixture
def said():
    return []


def rest(pause, said, inputs=None):
    """What a runtime does that would open these *inputs*."""
    return Rest(pause, lambda: inputs, lambda *words: said.append(words))


def test_a_paused_product_stays_paused_when_it_is_started_again(path):
    Pause(path).pause("grace", "why")
    again = Pause(path)

    assert (again.paused.by, again.paused.reason) == ("grace", "why")
    again.resume()
    assert Pause(path).paused is None


def test_who_paused_first_is_who_paused(path):
    pause = Pause(path)
    first = pause.pause("grace", "one")

    assert pause.pause("sample", "two") == first
    assert pause.resume() == first
    assert pause.resume() is None


def test_the_file_is_for_its_owner_only(path):
    Pause(path).pause("grace")

    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"by": "a"}', '{"by": 1, "at": 2, "z": 3}'])
def test_a_damaged_file_is_no_guess(path, text):
    path.write_text(text)

    with pytest.raises(StorageError, match="remove it, and pause the product again"):
        Pause(path)


def test_a_product_that_is_not_paused_does_not_rest(path, said):
    assert rest(Pause(path), said).take(Inputs(), 0) is None
    assert said == []


def test_a_resting_product_counts_what_waits_and_keeps_its_inputs(path, said):
    pause, inputs = Pause(path), Inputs(7)
    resting = rest(pause, said)
    paused = pause.pause("grace", "why")

    assert resting.take(inputs, 0) == 7
    assert said == [("paused", f"by grace at {paused.at}: why")]
    pause.resume()
    assert resting.take(inputs, 0) is None
    assert said[1:] == [("running", "")]
    assert not inputs.is_closed


def test_a_product_that_was_started_paused_opens_its_inputs_to_count_only(path, said):
    pause, inputs = Pause(path), Inputs(7, unread=3)
    resting = rest(pause, said, inputs)
    pause.pause("grace")

    assert resting.take(None, 0) == 10
    pause.resume()
    assert resting.take(None, 0) is None
    assert said[1:] == [("starting", "")]
    assert inputs.is_closed


def test_without_a_broker_it_rests_and_says_that_it_cannot_count(path, said):
    pause = Pause(path)
    pause.pause("grace")

    assert rest(pause, said).take(Inputs(trouble=True), 0) == 0
    assert said[0][0] == "paused"
    assert "cannot be counted: no broker" in said[0][1]
