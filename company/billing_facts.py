"""The facts that billing keeps: to which account a contract is invoiced, and who pays an account.

As they are in truth. Not here: how billing writes them down (`changes`, `billing_system`).
"""

from __future__ import annotations

import numpy as np

from company.changes import Facts
from company.clock import FOREVER
from company.draws import Ints
from company.world import World

__all__ = ["ACCOUNT", "PAYER", "facts_of"]

ACCOUNT, PAYER = "account", "payer"


def facts_of(world: World) -> dict[str, Facts]:
    """Return all facts by kind. An account counts as the person who pays it does."""
    signed = world.contracts
    every = np.arange(len(signed.opened), dtype=np.int64)
    moved = every[signed.payer_changed < FOREVER]
    people = len(world.people.household)
    account = Facts(
        kind=ACCOUNT,
        index=np.concatenate([every * 2, moved * 2 + 1]),
        source=np.concatenate([every, moved]),
        target=np.concatenate([signed.payer, signed.later_payer[moved]]),
        start=np.concatenate([signed.opened, signed.payer_changed[moved]]),
        end=np.concatenate([np.minimum(signed.closed, signed.payer_changed), signed.closed[moved]]),
        targets=people,
    )
    payers, since = _accounts(account.target, account.start)
    payer = Facts(
        kind=PAYER,
        index=payers,
        source=payers,
        target=payers,
        start=since,
        end=np.full(len(payers), FOREVER, dtype=np.int64),
        targets=people,
    )
    return {ACCOUNT: account, PAYER: payer}


def _accounts(payers: Ints, since: Ints) -> tuple[Ints, Ints]:
    """Return each account once, with when it was first needed."""
    order = np.lexsort((since, payers))
    found, first = np.unique(payers[order], return_index=True)
    return found, since[order][first]
