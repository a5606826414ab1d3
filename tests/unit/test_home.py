"""The state folder: what is made, who may read it, what is refused."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from mesh.errors import AlreadyRunning, SettingsError
from mesh.home import FORMAT, Home, locked, write_private


@pytest.fixture
def home(tmp_path):
    return Home.open(tmp_path / "home")


def mode(path):
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_a_new_folder_is_stamped_and_private(home):
    assert (home.path / "version").read_text() == f"{FORMAT}\n"
    assert mode(home.path) == "0o700"
    assert {mode(each) for each in (home.access, home.run, home.logs)} == {"0o700"}


def test_every_folder_on_the_way_to_a_storage_is_private(home):
    storage = home.storage("call-center")

    assert mode(storage.parent) == mode(storage.parent.parent) == "0o700"


def test_opening_again_changes_nothing(home):
    secret = home.make_secret("ada")
    again = Home.open(home.path)

    assert again.secret("ada") == again.make_secret("ada") == secret


def test_looking_for_a_folder_makes_none(tmp_path):
    Home.find(tmp_path / "home")

    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("look", [Home.open, Home.find])
@pytest.mark.parametrize("version", [str(FORMAT + 1), "x", "-1", "", "1.0", "\x00"])
def test_a_folder_of_a_newer_mesh_is_refused(tmp_path, look, version):
    (tmp_path / "version").write_text(version)
    with pytest.raises(SettingsError, match="newer mesh"):
        look(tmp_path)

    assert [each.name for each in tmp_path.iterdir()] == ["version"]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="MESH_HOME"):
        Home.open(tmp_path / "file" / "home")


def test_a_secret_is_long_private_and_each_has_its_own(home):
    secrets = {home.make_secret(name) for name in ("ada", "grace", "call-center")}

    assert len(secrets) == 3
    assert min(map(len, secrets)) >= 43  # 256 bits
    assert mode(home.secret_path("ada")) == "0o600"
    assert mode(home.secret_path("ada").parent) == "0o700"


def test_a_principal_without_a_secret_is_named_with_what_makes_one(home):
    with pytest.raises(SettingsError, match=r"'nobody'.*mesh up"):
        home.secret("nobody")


def test_a_private_file_is_replaced_at_once_and_leaves_no_other(home):
    path = home.run / "x.json"
    write_private(path, "one")
    with path.open() as open_before:
        write_private(path, "two")
        assert open_before.read() == "one"

    assert path.read_text() == "two"
    assert [each.name for each in home.run.iterdir()] == ["x.json"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "\x00", '{"pid": 1}', '{"pid": "x", "address": 1}']
)
def test_a_damaged_run_file_is_as_good_as_none(home, text):
    (home.run / "call-center.json").write_text(text)

    assert home.address("call-center") is None


def test_an_address_holds_only_while_its_process_lives(home):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    home.write_run("call-center.json", {"address": "http://127.0.0.1:1", "pid": child.pid})
    assert home.address("call-center") == "http://127.0.0.1:1"
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert home.address("call-center") is None  # dead, if not buried
    child.communicate()

    assert home.address("call-center") is None


def test_a_lock_is_held_by_one_and_names_its_holder(home):
    with (
        locked(home.run / "lock", "the mesh"),
        pytest.raises(AlreadyRunning, match=rf"the mesh already runs \(pid {os.getpid()}\)"),
        locked(home.run / "lock", "the mesh"),
    ):
        pass
    with locked(home.run / "lock", "the mesh"):
        pass


def test_a_lock_in_a_folder_that_is_gone_says_so(home):
    with pytest.raises(SettingsError, match="cannot be written"), locked(home.run / "a" / "b", "x"):
        pass


def test_the_key_that_hashes_is_one_and_private_and_each_product_that_needs_it_has_it(home):
    home.make_mask_key(["call-center", "contracts"])
    key = home.mask_key("call-center")
    home.make_mask_key(["call-center", "billing"])

    assert {home.mask_key(each) for each in ("call-center", "contracts", "billing")} == {key}
    assert len(key) >= 43  # 256 bits
    copies = [*home.path.glob("**/mask-key")]
    assert {mode(each) for each in copies} == {"0o600"}
    assert len(copies) == 4
    with pytest.raises(SettingsError, match="mesh up"):
        home.mask_key("key-ring")
