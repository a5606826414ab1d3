-- What commands are judged by: what the CRM wrote down and what was commanded, the newest of each.
create temp view contract_now as
select
    contract_number,
    unnest(arg_max(
        struct_pack(revision, kind, opened_at, closed_at), struct_pack(revision, change_id)
    ))
from (
    select contract_number, change_id, revision, kind, opened_at, closed_at
    from contract_changes
    union all by name
    select unnest(revisions, recursive := true)
    from commands
)
group by contract_number;

create temp view link_now as
select
    link_id,
    unnest(arg_max(
        struct_pack(revision, contract_number, has, id, valid_from, valid_to, retracted),
        struct_pack(revision, statement_id)
    ))
from (
    select statement_id, link_id, revision, contract_number, 'number' as has, phone_number as id,
        valid_from, valid_to, retracted
    from number_changes
    union all by name
    select statement_id, link_id, revision, contract_number, role as has, person_id as id,
        valid_from, valid_to, retracted
    from role_changes
    union all by name
    select statement_id, link_id, revision, contract_number, 'household' as has,
        household_id as id, valid_from, valid_to, retracted
    from household_changes
    union all by name
    select unnest(statements, recursive := true)
    from commands
)
-- A link of a role and one of a household may have the same id.
group by link_id, has in ('number', 'household'), has = 'household';

create temp view open_link as
select * from link_now
where valid_to is null and not retracted;
