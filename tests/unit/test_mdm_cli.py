"""`mesh mdm` runs, is read again, is drawn, and says what it lacks."""

from __future__ import annotations

import json
import sys
from xml.etree import ElementTree

import pytest

from mesh.cli.main import mesh
from mesh.errors import SettingsError, WrongUse

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("twin") / "home"


@pytest.fixture
def typed(monkeypatch, home, capsys):
    """Run a command of a state folder that all these tests share."""
    monkeypatch.setenv("MESH_HOME", str(home))

    def run(*words: str) -> str:
        mesh.main(["mdm", *words], prog_name="mesh", standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_without_a_run_there_is_no_report(typed):
    with pytest.raises(SettingsError, match="run `mesh mdm run`"):
        typed("report")
    with pytest.raises(SettingsError, match="run `mesh mdm run`"):
        typed("show", "+12895550184")


def test_without_its_library_it_says_what_to_install(typed, monkeypatch):
    monkeypatch.setitem(sys.modules, "splink", None)

    with pytest.raises(SettingsError, match=r"pip install -e '\.\[mdm\]'"):
        typed("run", "--days", "5")


def test_a_run_is_kept_and_told_again_drawn_and_shown_card_by_card(typed, tmp_path):
    made = json.loads(typed("run", "--days", "5", "--json"))
    picture = tmp_path / "twin.svg"
    told = typed("report", "--svg", str(picture))
    cards = json.loads(typed("show", "+12895550184", "--json"))["cards"]

    assert json.loads(typed("report", "--json")) == made
    assert "who called, in 5 days" in told
    assert f"threshold {made['threshold']}" in told
    drawn = ElementTree.fromstring(picture.read_text("utf-8"))  # noqa: S314 - our own
    widths = [int(each.get("width", "0")) for each in drawn.iter(f"{SVG}rect")]
    roles = len(made["calls"])
    # The background, the legend, and a bar for each role and side.
    assert len(widths) == 1 + 3 + 3 * roles
    assert len(list(drawn.iter(f"{SVG}polyline"))) == 2
    assert {each["person"] for each in cards} == {"P-003244"}
    assert [each["role"] for each in cards] == ["user"]
    with pytest.raises(WrongUse, match="no golden record has the number"):
        typed("show", "+1202")
    with pytest.raises(SettingsError, match="cannot be written"):
        typed("report", "--svg", str(tmp_path / "no" / "twin.svg"))
