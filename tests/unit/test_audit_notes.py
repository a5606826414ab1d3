"""What the audit log signs: notes, keys and checkpoints; and what forgers may try."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from mesh.audit.checkpoint import Checkpoint
from mesh.audit.merkle import EMPTY_ROOT
from mesh.audit.note import LogKey, opened, signed
from mesh.errors import Unproven, WrongUse
from tests.audit import NAME, Log, columns, key_of

VECTORS = json.loads((Path(__file__).parents[1] / "fixtures/audit-vectors.json").read_text())
# Of the specification itself, which also has its signature.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
KEY = key_of("example.com/log")


@pytest.fixture(scope="module")
def log():
    found = Log()
    found.add(columns(300))
    return found


def test_notes_of_another_implementation_are_opened():
    for each in VECTORS["notes"]:
        key = LogKey.parse(each["vkey"])

        assert str(key) == each["vkey"]
        assert each["note"].startswith(opened(each["note"], key) + "\n")
    assert str(LogKey.parse(VKEY)) == VKEY


def test_a_note_is_opened_by_its_key_alone():
    note = signed("what is so\n", KEY)
    other = key_of("example.com/other")

    assert opened(note, KEY.log_key) == "what is so\n"
    with pytest.raises(Unproven, match=r"not signed by example\.com/other"):
        opened(note, other.log_key)


def test_other_signatures_are_passed_over():
    note = signed("what is so\n", KEY)
    theirs = signed("what is so\n", key_of("a.witness")).rpartition("\n\n")[2]

    assert opened(note + theirs, KEY.log_key) == "what is so\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace("so", "not so"),
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note.rstrip("\n"),
        lambda note: note + "\n",
        lambda note: note + "— nobody\n",
        lambda note: note.replace("—", "-"),
        lambda note: note.replace("so", "so\r"),
        lambda note: note + note.rpartition("\n\n")[2] * 100,
        lambda note: note.replace("= ", "=  "),
        lambda note: "",
        lambda note: "\n\n",
    ],
)
def test_an_altered_note_is_refused(change):
    changed = change(signed("what is so = \n", KEY))

    with pytest.raises(Unproven):
        opened(changed, KEY.log_key)


@pytest.mark.parametrize(
    "text",
    ["", "a", "a+b", "a+b+c", VKEY[:-4], VKEY.replace("53", "54"), VKEY.replace("foo", "bar"),
     VKEY.replace("/foo", "/f oo"), VKEY + "=", VKEY.replace("+Aek", "+Bek")],
)  # fmt: skip
def test_what_is_no_key_is_wrong_use(text):
    with pytest.raises(WrongUse, match="is no key of a log"):
        LogKey.parse(text)


def test_a_checkpoint_says_which_log_how_many_entries_and_which_root(log):
    note = log.checkpoint()
    found = Checkpoint.opened(note, log.key.log_key)

    assert (found.origin, found.size) == (str(NAME), 300)
    assert note.splitlines()[:2] == [str(NAME), "300"]
    assert base64.b64decode(note.splitlines()[2]) == found.root


@pytest.mark.parametrize(
    "text",
    ["x\n1\n", "x\n01\nR\n", "x\n-1\nR\n", "x\n1\nAAAA\n", "x\n1\nnot base64\n", "x\n\u0663\nR\n",
     "x\n\n1\nR\n", "x\n0\nR\n", "x\n1234567890123456789\nR\n", "y\n1\nR\n", "xx/1\n1\nR\n"],
)  # fmt: skip
def test_what_is_signed_and_no_checkpoint_is_refused(text):
    note = signed(text.replace("R", base64.b64encode(bytes(32)).decode()), key_of("x"))

    with pytest.raises(Unproven):
        Checkpoint.opened(note, key_of("x").log_key)


def test_an_empty_log_has_a_checkpoint_too():
    note = Log().checkpoint()

    assert Checkpoint.opened(note, Log().key.log_key).root == EMPTY_ROOT


def test_the_key_of_a_mesh_opens_the_checkpoints_of_its_logs_and_of_no_others(log):
    mesh = key_of(NAME.mesh).log_key
    other = key_of("mesh.test/aud").log_key

    assert Checkpoint.opened(log.checkpoint(), mesh).size == 300
    with pytest.raises(Unproven):
        Checkpoint.opened(log.checkpoint(), other)
