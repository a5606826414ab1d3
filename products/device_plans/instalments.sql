-- One row per instalment, as it was written down.
select
    _cause,
    instalment_id,
    contract_number,
    payer_id,
    district,
    due_at,
    decided_at,
    outcome,
    called_in
from new_settled_instalments
