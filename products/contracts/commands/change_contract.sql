-- A role of a contract passes to another person.
with

asked as (
    select
        $contract_number::varchar as contract_number,
        $role::varchar as role,
        $person_id::varchar as person_id,
        coalesce($effective_at::timestamptz, $accepted_at::timestamptz) as effective_at
),

changed as (
    select c.*
    from contract_now c semi join asked using (contract_number)
),

held as (
    select l.*
    from open_link l, asked
    where l.contract_number = asked.contract_number and l.has = asked.role
),

refusals as (
    select 'contract_number' as field, 'there is no such contract' as reason
    where not exists (from changed)
    union all
    select 'contract_number', 'the contract is closed'
    from changed
    where closed_at is not null
    union all
    select 'person_id', 'the person has the role already'
    from held, asked
    where held.id = asked.person_id
    union all
    select 'effective_at', 'who has the role got it later'
    from held, asked
    where asked.effective_at < held.valid_from
    union all
    select 'effective_at', 'the contract begins later'
    from changed, asked
    where asked.effective_at < changed.opened_at
),

statements as (
    select h.link_id, h.revision + 1 as revision, h.id, h.valid_from,
        asked.effective_at as valid_to
    from held h, asked
    union all
    select $command_id || '-' || role, 1, person_id, effective_at, null
    from asked
)

select
    asked.effective_at,
    (
        select list(struct_pack(
            statement_id := link_id || '-' || revision || '-' || $command_id,
            link_id, revision, contract_number := asked.contract_number, has := asked.role, id,
            valid_from, valid_to, retracted := false
        ))
        from statements
    ) as statements,
    (select list(struct_pack(field, reason)) from refusals) as refusals
from asked
