"""How commands speak: tables, JSON, progress. Colours and bars on a terminal only."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, zip_longest
from pathlib import Path

import click
from rich.cells import cell_len

from mesh.batch.whole import whole

__all__ = ["Steps", "printable", "put_text", "said", "show_json", "show_table", "steps"]


# What JSON leaves as it is: C1 controls, marks of direction, separators of lines.
UNSAFE = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def show_json(document: object) -> None:
    """Print a JSON document, in which no text moves a terminal's cursor or turns its writing."""
    text = json.dumps(document, indent=2, default=str, ensure_ascii=False)
    click.echo(UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def put_text(path: Path, text: str) -> None:
    """Write *text* to a file that somebody asked for. Raises `SettingsError`, `WrongUse`."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, as wide as it must be.

    A terminal that is narrower goes on in its next line: what is cut by us cannot be copied.
    """
    table = [
        [cell("" if value is None else str(value)).split("\n") for value in row] for row in rows
    ]
    widths = [
        max(map(cell_len, chain([name], *texts)))
        for name, *texts in zip(columns, *table, strict=True)
    ]
    click.echo(click.style(aligned(columns, widths), bold=True))
    lines = (line for row in table for line in zip_longest(*row, fillvalue=""))
    click.echo("".join(f"{aligned(each, widths)}\n" for each in lines), nl=False)


def aligned(texts: Sequence[str], widths: Sequence[int]) -> str:
    """A line of a table, without spaces at its end."""
    padded = (
        text + " " * (width - cell_len(text)) for text, width in zip(texts, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def cell(text: str) -> str:
    """*text* as it may stand in a table, its lines kept."""
    return "\n".join(map(printable, text.split("\n")))


def printable(text: str) -> str:
    """*text* from outside, in which nothing moves a terminal's cursor or turns its writing."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


class Steps:
    """Progress of something longer than a moment: a line a step, on standard error."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._last = ""

    def say(self, text: str) -> None:
        """Show that *text* is what is done now."""
        if not text or text == self._last:
            return
        self._last = text
        line = f"[{time.monotonic() - self._started:5.1f} s] {text}"
        if self._is_terminal:
            # A line that wraps could not be taken back.
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\x1b[2K{line[:width]}", nl=False, err=True)
        else:
            click.echo(line, err=True)

    def bytes(self, what: str, done: int, total: int) -> None:
        """Show a download's progress, in whole percents."""
        if self._is_terminal or done >= total:
            percent = 100 * done // total if total else 100
            self.say(f"downloading {what}: {percent} % of {total / 1e6:.0f} MB")

    def end(self) -> None:
        """Finish the line."""
        if self._is_terminal and self._last:
            click.echo("\r\x1b[2K", nl=False, err=True)


@contextmanager
def steps() -> Iterator[Steps]:
    """Progress for the time of a block."""
    shown = Steps()
    try:
        yield shown
    finally:
        shown.end()


def said(document: Mapping[str, object], key: str) -> str:
    """A text of a JSON document, empty where it is absent."""
    value = document.get(key)
    return "" if value is None else str(value)
