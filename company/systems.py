"""What `mesh feed`, `mesh legacy` and `mesh mdm` find of this company by its entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from company.billing_system import Billing
from company.cards import Cards
from company.crm_system import Crm
from company.network import Network
from company.plans_system import Plans
from company.telephony import Telephony
from company.warehouse import Warehouse
from mesh.product.systems import System

__all__ = ["Company", "plugin"]


def _systems() -> Mapping[str, System]:
    return MappingProxyType(
        {
            "billing": Billing(),
            "call-center": Telephony(),
            "contracts": Crm(),
            "device-plans": Plans(),
            "network-usage": Network(),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """The operational systems of one company by product id, its legacy *warehouse*, its *cards*."""

    systems: Mapping[str, System] = field(default_factory=_systems)
    warehouse: Warehouse = field(default_factory=Warehouse)
    cards: Cards = field(default_factory=Cards)


plugin = Company()
