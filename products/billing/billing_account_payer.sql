-- Each statement about a payer is one about the relation.
select
    _cause,
    statement_id,
    link_id,
    billing_account_number as from_id,
    payer_id as to_id,
    valid_from,
    valid_to,
    retracted
from new_payer_changes
