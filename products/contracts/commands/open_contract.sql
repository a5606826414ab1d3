-- A contract begins, with its holder and, where one is named, a number that nobody has.
with

asked as (
    select
        $contract_number::varchar as contract_number,
        $kind::varchar as kind,
        $person_id::varchar as person_id,
        $phone_number::varchar as phone_number,
        coalesce($effective_at::timestamptz, $accepted_at::timestamptz) as effective_at
),

refusals as (
    select 'contract_number' as field, 'there is such a contract already' as reason
    from contract_now semi join asked using (contract_number)
    union all
    select 'contract_number', 'numbers below C-900000000 are for the CRM to give'
    from asked
    where contract_number < 'C-900000000'
    union all
    select 'phone_number', 'only a mobile contract has a number'
    from asked
    where kind <> 'mobile' and phone_number is not null
    union all
    select 'phone_number', 'another contract has it'
    from open_link l, asked
    where l.has = 'number' and l.id = asked.phone_number
    union all
    select 'effective_at', 'another contract had the number until later'
    from link_now l, asked
    where l.has = 'number' and l.id = asked.phone_number
        and not l.retracted and asked.effective_at < l.valid_to
),

statements as (
    select 'holder' as has, person_id as id
    from asked
    union all
    select 'number', phone_number
    from asked
    where phone_number is not null
)

select
    asked.effective_at,
    [struct_pack(
        contract_number := asked.contract_number,
        change_id := asked.contract_number || '-1-' || $command_id,
        revision := 1,
        kind := asked.kind,
        opened_at := asked.effective_at,
        closed_at := null
    )] as revisions,
    (
        select list(struct_pack(
            statement_id := $command_id || '-' || has || '-1-' || $command_id,
            link_id := $command_id || '-' || has,
            revision := 1,
            contract_number := asked.contract_number,
            has,
            id,
            valid_from := asked.effective_at,
            valid_to := null,
            retracted := false
        ))
        from statements
    ) as statements,
    (select list(struct_pack(field, reason)) from refusals) as refusals
from asked
