"""How `mesh audit verify` is asked, and how it says what it found."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from mesh.audit.findings import MOST, Findings
from mesh.audit.verify import Verdict
from mesh.cli.audit_live import late, notes_in, show_verdict
from mesh.cli.main import mesh
from tests.audit import Log, columns


def verdict(*places: str, erased: int = 0) -> Verdict:
    """A verdict with a message missing at each of *places*."""
    findings = Findings()
    for place in places:
        findings.add("missing", "message", "pub.t [0]", place, words="it was removed")
    return Verdict(entries=1234, erased=erased, findings=findings)


@pytest.mark.parametrize(
    "words",
    [[], ["--live", __file__], [__file__, "--checkpoints", "."], [__file__]],
    ids=["nothing", "both", "checkpoints-of-a-bundle", "no-key"],
)
def test_what_is_asked_for_is_a_bundle_with_a_key_or_the_mesh(words, tmp_path):
    runner = CliRunner(env={"MESH_HOME": str(tmp_path)})
    done = runner.invoke(mesh, ["audit", "verify", *words], standalone_mode=False)

    assert done.exception.exit_code == 2
    assert "say" in str(done.exception)


def test_a_verdict_without_findings_says_how_much_was_looked_at(capsys):
    show_verdict(verdict(erased=2))

    assert capsys.readouterr().out == (
        "verified: 1,234 entries, 2 of them erased: nothing is missing or altered\n"
    )


def test_a_finding_is_a_line_and_moves_no_cursor(capsys):
    show_verdict(verdict("offset 7", "\x1b[2J"))

    assert capsys.readouterr().out.splitlines() == [
        "missing: message pub.t [0] offset 7: it was removed",
        "missing: message pub.t [0] \\x1b[2J: it was removed",
        "NOT AS IT WAS SIGNED: 1,234 entries",
    ]


def test_what_is_too_much_to_list_is_counted(capsys):
    found = verdict(*(f"offset {each}" for each in range(MOST + 5)))
    show_verdict(found)
    document = found.as_document()

    assert "missing: message pub.t [0]: 5 more" in capsys.readouterr().out
    assert (document["ok"], len(document["missing"]), document["left_out"]) == (False, MOST, 5)
    assert document["missing"][0] == {
        "what": "message",
        "place": "pub.t [0] offset 0",
        "reason": "it was removed",
    }


def test_of_a_folder_the_checkpoints_are_taken_and_what_else_lies_there_is_not(tmp_path):
    log = Log()
    log.add(columns(3))
    for name, text in {
        "a.checkpoint": log.checkpoint(),
        "mesh.key": str(log.key.log_key),
        "call.tlog-proof": str(log.proof(1)),
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()

    assert notes_in(tmp_path) == [log.checkpoint()]
    assert notes_in(None) == []


def test_progress_is_told_to_whoever_has_to_wait_alone():
    told = []
    late(told.append)("at once")
    late(told.append, 0)("later")

    assert told == ["later"]
