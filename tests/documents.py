"""Runs the ```console blocks of a Markdown document and compares what they print.

Not a shell tutorial's pretence: each command runs for real, in the root of the repository, with
`mesh` on its path, in one state folder a document; what it leaves running is stopped at the end.

    $ mesh read call-center.nope
    mesh: there is no port call-center.nope; …
    [exit 1]

- A line that begins with `$ ` is a command; a backslash at its end continues it on the next line.
- The lines below it are its whole output, standard error included, each number of it.
- `…` stands for any text within its line; a line that is only `…` or `...` for any lines, or none.
- `[exit N]` as the last line is the expected exit code; without it the code must be 0.
- Variables and the working directory carry over to the next command of the document.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from tests.repository import ROOT

__all__ = ["Command", "Shell", "commands_in", "matches", "run_document"]

EXIT = re.compile(r"\[exit (\d+)\]")
SECONDS_A_COMMAND = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a console block, what it must print and its exit code."""

    text: str
    expected: tuple[str, ...]
    exit_code: int = 0


class Shell:
    """Runs commands one after the other as a person would in one terminal.

    *home* is the mesh's state folder and must not exist yet; *scratch* is for our own files.
    """

    def __init__(self, home: Path, scratch: Path) -> None:
        self.home, self.state, self.output = home, scratch / "state.sh", scratch / "output.txt"
        self.state.touch()
        mesh = scratch / "mesh"
        mesh.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m mesh \"$@\"\n")
        mesh.chmod(0o755)
        # As in an environment that is activated.
        (scratch / "python").write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
        (scratch / "python").chmod(0o755)
        self.environment = os.environ | {
            "COLUMNS": "100",
            "LC_ALL": "C.UTF-8",
            "MESH_HOME": str(home),
            "NO_COLOR": "1",
            "PATH": f"{scratch}{os.pathsep}{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            "TERM": "dumb",
        }

    def run(self, text: str) -> tuple[int, str]:
        """Run *text* and return its exit code and all that it printed.

        The output goes to a file, since a pipe would stay open as long as a service it started.
        """
        script = f'. "{self.state}"; cd "$PWD"; set -a; trap \'export -p >"{self.state}"\' EXIT\n'
        with self.output.open("wb") as output:
            process = subprocess.run(
                [bash(), "-c", script + text],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=SECONDS_A_COMMAND,
                check=False,
            )
        return process.returncode, self.output.read_text("utf-8", errors="replace")

    def close(self) -> None:
        """Stop what the commands left running: politely, then by force."""
        if self.home.exists():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.run("mesh down")
        # What was started a moment ago may be becoming its program, and has no environment then.
        for rest_s in (0.0, 0.3):
            time.sleep(rest_s)
            left = list(self.left_running())
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.terminate()
            for process in psutil.wait_procs(left, timeout=5)[1]:
                with contextlib.suppress(psutil.Error):
                    process.kill()

    def left_running(self) -> Iterator[psutil.Process]:
        """Find the processes that were started with our state folder."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("MESH_HOME") == str(self.home):
                    yield process


def run_document(path: Path, scratch: Path) -> int:
    """Run all console blocks of *path* and return how many commands that were.

    Raises `SybilFailure`, which names the line, where one prints something else.
    """
    count = 0
    shell = Shell(scratch / "home", scratch)

    def evaluate(example: Example) -> str | None:
        nonlocal count
        for command in commands_of(example.parsed):
            count += 1
            problem = difference(command, shell)
            if problem:
                return problem
        return None

    try:
        for example in parse(path, CodeBlockParser("console", evaluate)).examples():
            example.evaluate()
    finally:
        shell.close()
    return count


def parse(path: Path, *parsers: CodeBlockParser) -> Document:
    """Let Sybil find the blocks of *path*."""
    return Sybil(parsers, filenames=[path.name]).parse(path)


def difference(command: Command, shell: Shell) -> str | None:
    """Run *command* and say how it differs from what the document promises."""
    code, output = shell.run(command.text)
    if code == command.exit_code and matches(command.expected, output):
        return None
    actual = clean(output.splitlines())
    lines = difflib.unified_diff(command.expected, actual, "document", "reality", lineterm="")
    return "\n".join([f"$ {command.text}", f"exit {code}, not {command.exit_code}", *lines])


def matches(expected: tuple[str, ...], output: str) -> bool:
    """Tell whether *output* is what *expected* describes, but for spaces at the end of a line."""
    pattern = "".join(map(pattern_of, clean(expected)))
    actual = "".join(f"{line}\n" for line in clean(output.splitlines()))
    return re.fullmatch(pattern, actual) is not None


def pattern_of(line: str) -> str:
    """Return the regular expression of one expected line."""
    if line in ("…", "..."):
        return r"(?:[^\n]*\n)*"
    return r"[^\n]*".join(re.escape(part) for part in line.split("…")) + r"\n"


def clean(lines: list[str] | tuple[str, ...]) -> list[str]:
    """Drop the spaces at the end of each line, and the empty lines at the end of all."""
    return "\n".join(line.rstrip() for line in lines).rstrip("\n").splitlines()


def commands_of(block: str) -> Iterator[Command]:
    """Cut a console block into its commands; what stands before the first is a mistake."""
    head, *parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    if head.strip():
        raise ValueError(f"a console block begins with '$ ', not with {head.splitlines()[0]!r}")
    for part in parts:
        text, _, rest = part.replace("\\\n", "\0").partition("\n")
        expected = clean(rest.replace("\0", "\\\n").splitlines())
        code = EXIT.fullmatch(expected[-1]) if expected else None
        yield Command(
            text=text.replace("\0", "\\\n"),
            expected=tuple(clean(expected[:-1]) if code else expected),
            exit_code=int(code[1]) if code else 0,
        )


def commands_in(path: Path, languages: tuple[str, ...] = ("console",)) -> list[str]:
    """List the commands in the blocks of *languages*; a prompt before them is not necessary."""
    found = []
    for language in languages:
        for example in parse(path, CodeBlockParser(language, lambda _: None)).examples():
            if "$ " in example.parsed:
                found += [command.text for command in commands_of(example.parsed)]
            else:
                found += [line.strip() for line in example.parsed.splitlines() if line.strip()]
    return found


def bash() -> str:
    """Return the shell in which the commands run."""
    path = shutil.which("bash")
    if path is None:
        raise FileNotFoundError("walkthroughs need bash on the path")
    return path
