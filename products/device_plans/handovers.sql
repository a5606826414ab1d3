-- One row per instalment that was handed over, as it was written down.
select
    _cause,
    instalment_id,
    contract_number,
    handed_over_at
from new_agency_handovers
