"""No command but those that learn from data loads pandas, though it is installed here."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(find_spec("pandas") is None, reason="pandas is not installed")

PROGRAM = """
import sys
from mesh.__main__ import run
sys.argv = ["mesh", {command!r}, "--help"]
try:
    run()
except SystemExit:
    pass
import mesh.backbone.avro_encode
print("pandas" in sys.modules)
"""


@pytest.mark.parametrize(("command", "is_there"), [("run", False), ("run-batch", True)])
def test_pandas_is_loaded_by_commands_alone_that_learn(command, is_there):
    program = PROGRAM.format(command=command)
    said = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout

    assert said.splitlines()[-1] == str(is_there)
