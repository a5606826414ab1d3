-- One row per contract, with the roles that hold. The newest revision of a contract or a link counts.
with

newest_contracts as (
    select
        contract_number,
        unnest(arg_max(
            struct_pack(kind, opened_at, closed_at), struct_pack(revision, change_id)
        ))
    from (
        select contract_number, change_id, revision, kind, opened_at, closed_at
        from contract_changes
        union all
        select r.contract_number, r.change_id, r.revision, r.kind, r.opened_at, r.closed_at
        from (select unnest(revisions) as r from commands)
    )
    group by contract_number
),

-- A household is, like a holder, something that a contract has one of.
statements as (
    select 'role' as source, link_id, statement_id, revision, contract_number, role as has,
        person_id as id, valid_from, valid_to, retracted, written_at
    from role_changes
    union all
    select 'household' as source, link_id, statement_id, revision, contract_number,
        'household' as has, household_id as id, valid_from, valid_to, retracted, written_at
    from household_changes
    union all
    select if(s.has = 'household', 'household', 'role') as source, s.link_id, s.statement_id,
        s.revision, s.contract_number, s.has, s.id, s.valid_from, s.valid_to, s.retracted,
        accepted_at as written_at
    from (select unnest(statements) as s, accepted_at from commands)
    where s.has <> 'number'
),

newest_links as (
    select
        link_id,
        min(written_at) as stated_at,
        unnest(arg_max(
            struct_pack(contract_number, has, id, valid_from, valid_to, retracted),
            struct_pack(revision, statement_id)
        ))
    from statements
    group by source, link_id
),

-- Of links that contradict each other, the one counts that was stated first.
ranked_links as (
    select
        contract_number,
        has,
        id,
        row_number() over (
            partition by contract_number, has
            order by valid_to desc nulls first, valid_from desc nulls last, stated_at, link_id
        ) as place
    from newest_links
    where not retracted and has <> 'resident'
),

roles as (
    select
        contract_number,
        max(id) filter (where has = 'holder') as holder_id,
        max(id) filter (where has = 'user') as user_id,
        max(id) filter (where has = 'administrator') as administrator_id,
        max(id) filter (where has = 'household') as household_id
    from ranked_links
    where place = 1
    group by contract_number
)

select
    c.contract_number,
    c.kind,
    case when c.closed_at is null then 'active' else 'closed' end as state,
    c.opened_at,
    c.closed_at,
    r.holder_id,
    r.user_id,
    r.administrator_id,
    r.household_id
from newest_contracts c
left join roles r using (contract_number)
