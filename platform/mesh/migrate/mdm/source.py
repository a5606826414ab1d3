"""What the twin works on: cards of persons, found by entry point, and the truth to judge it by.

Whoever has them registers an object with `.cards` in the entry point group `mesh.company`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mesh.product.systems import the_one

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Cards", "find_cards"]


class Cards(Protocol):
    """Cards that operational systems keep of persons; the same for a seed whenever asked.

    A row of `held` is a revision of a card: `card_id`, `system`, `role` (holder, user, …), `about`
    (a contract or an account), the text (`given_name`, `family_name`, `birth_date`, `street`,
    `city`, `phone_number`), `is_retracted` and `written_at`.
    """

    @property
    def begin(self) -> int:
        """The first instant of the calls, in microseconds."""

    def held(self, seed: int, until: int) -> pa.Table:
        """What was written on cards before an instant."""

    def persons(self, seed: int, until: int) -> list[str]:
        """The truth: whose the cards of `held` are, row by row."""

    def calls(self, seed: int, day: int) -> pa.Table:
        """Number (`phone_number`) and instant (`at`) of each call of a day, 0 being the first."""

    def truth(self, seed: int, calls: pa.Table) -> pa.Table:
        """The truth: `user_id`, `holder_id`, … of each number at its instant, null where none."""

    def reassigned(self, seed: int, begin: int, end: int) -> pa.Table:
        """The truth: which numbers got another user between two instants, and when (`at`)."""


def find_cards() -> Cards:
    """The cards of the installed company. Raises `SettingsError` if there is not just one."""
    found: Cards = the_one("cards", "keepers of person cards")
    return found
