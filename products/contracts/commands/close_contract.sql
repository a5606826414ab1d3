-- A contract ends, and with it all that it has.
with

asked as (
    select
        $contract_number::varchar as contract_number,
        coalesce($effective_at::timestamptz, $accepted_at::timestamptz) as effective_at
),

closed as (
    select c.*
    from contract_now c semi join asked using (contract_number)
),

held as (
    select l.*
    from open_link l semi join asked using (contract_number)
),

refusals as (
    select 'contract_number' as field, 'there is no such contract' as reason
    where not exists (from closed)
    union all
    select 'contract_number', 'the contract is closed already'
    from closed
    where closed_at is not null
    union all
    select 'effective_at', 'the contract begins later'
    from closed, asked
    where asked.effective_at < closed.opened_at
    union all
    select 'effective_at', 'the contract got its ' || held.has || ' later'
    from held, asked
    where asked.effective_at < held.valid_from
)

select
    asked.effective_at,
    (
        select list(struct_pack(
            contract_number,
            change_id := contract_number || '-' || (revision + 1) || '-' || $command_id,
            revision := revision + 1, kind, opened_at, closed_at := asked.effective_at
        ))
        from closed
    ) as revisions,
    (
        select list(struct_pack(
            statement_id := link_id || '-' || (revision + 1) || '-' || $command_id,
            link_id, revision := revision + 1, contract_number, has, id,
            valid_from, valid_to := asked.effective_at, retracted := false
        ))
        from held
    ) as statements,
    (select list(struct_pack(field, reason)) from refusals) as refusals
from asked
