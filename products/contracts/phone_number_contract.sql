-- Each statement about a number is one about the relation: the CRM's, and those of commands.
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
union all
select
    _cause,
    s.statement_id,
    s.link_id,
    s.id as from_id,
    s.contract_number as to_id,
    s.valid_from,
    s.valid_to,
    s.retracted
from (select _cause, unnest(statements) as s from new_commands)
where s.has = 'number'
