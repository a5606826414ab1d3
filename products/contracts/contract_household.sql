-- Each statement of the CRM about a household is one about the relation.
select
    _cause,
    statement_id,
    link_id,
    contract_number as from_id,
    household_id as to_id,
    valid_from,
    valid_to,
    retracted
from new_household_changes
