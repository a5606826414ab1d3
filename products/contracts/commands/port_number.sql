-- A number leaves the contract that has it and is under another from the same instant on.
with

asked as (
    select
        $phone_number::varchar as phone_number,
        $from_contract::varchar as from_contract,
        $contract_number::varchar as contract_number,
        coalesce($effective_at::timestamptz, $accepted_at::timestamptz) as effective_at
),

held as (
    select l.*
    from open_link l, asked
    where l.has = 'number' and l.id = asked.phone_number
),

target as (
    select c.*
    from contract_now c semi join asked using (contract_number)
),

refusals as (
    select 'contract_number' as field, 'there is no such contract' as reason
    where not exists (from target)
    union all
    select 'contract_number', 'the contract is closed'
    from target
    where closed_at is not null
    union all
    select 'contract_number', 'only a mobile contract has a number'
    from target
    where kind <> 'mobile'
    union all
    select 'contract_number', 'it has the number already'
    from asked
    where contract_number = from_contract
    union all
    select 'phone_number', 'no contract has it'
    where not exists (from held)
    union all
    select 'from_contract', 'another contract has the number'
    from held, asked
    where held.contract_number <> asked.from_contract
    union all
    select 'effective_at', 'the contract that has the number got it later'
    from held, asked
    where asked.effective_at < held.valid_from
    union all
    select 'effective_at', 'the contract that is to have the number begins later'
    from target, asked
    where asked.effective_at < target.opened_at
),

statements as (
    select h.link_id, h.revision + 1 as revision, h.contract_number, h.id, h.valid_from,
        asked.effective_at as valid_to
    from held h, asked
    union all
    select $command_id || '-number', 1, contract_number, phone_number, effective_at, null
    from asked
)

select
    asked.effective_at,
    (
        select list(struct_pack(
            statement_id := link_id || '-' || revision || '-' || $command_id,
            link_id, revision, contract_number, has := 'number', id, valid_from, valid_to,
            retracted := false
        ))
        from statements
    ) as statements,
    (select list(struct_pack(field, reason)) from refusals) as refusals
from asked
