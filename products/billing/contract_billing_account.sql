-- Each statement about the account of a contract is one about the relation.
select
    _cause,
    statement_id,
    link_id,
    contract_number as from_id,
    billing_account_number as to_id,
    valid_from,
    valid_to,
    retracted
from new_account_changes
