-- Statements about users: the CRM's, and those of commands.
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
where role = 'user'
union all
select
    _cause,
    s.statement_id,
    s.link_id,
    s.contract_number as from_id,
    s.id as to_id,
    s.valid_from,
    s.valid_to,
    s.retracted
from (select _cause, unnest(statements) as s from new_commands)
where s.has = 'user'
