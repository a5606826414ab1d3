-- The CRM's statements about administrators.
select
    _cause,
    statement_id,
    link_id,
    contract_number as from_id,
    person_id as to_id,
    valid_from,
    valid_to,
    retracted
from new_role_changes
where role = 'administrator'
