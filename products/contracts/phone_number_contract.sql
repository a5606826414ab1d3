-- Each statement of the CRM about a number is one about the relation.
select
    _cause,
    statement_id,
    link_id,
    phone_number as from_id,
    contract_number as to_id,
    valid_from,
    valid_to,
    retracted
from new_number_changes
