-- One row per subject and role, as long as a link that counts says that it is or was in it.
with
-- Who is or was what to which contract, as sales says.
roles as (
    select
        to_id as subject_id,
        replace(relation, 'contract-', '') as role,
        from_id as contract_number,
        valid_from,
        valid_to
    from links
    where holds and relation in (
        'contract-holder', 'contract-user', 'contract-administrator',
        'contract-resident', 'contract-household'
    )
),

numbers as (
    select from_id as phone_number, to_id as contract_number, valid_from, valid_to
    from links
    where holds and relation = 'phone-number-contract'
),

-- Who pays or paid which account, as finance says.
payers as (
    select to_id as subject_id, from_id as billing_account_number, valid_from, valid_to
    from links
    where holds and relation = 'billing-account-payer'
),

-- What has no end; links that have none overlap, so the chain over the account needs no instant.
open_roles as (
    select subject_id, role, contract_number, valid_from from roles where valid_to is null
    union all
    select p.subject_id, 'payer', a.from_id, greatest(p.valid_from, a.valid_from)
    from payers p
    join links a on a.relation = 'contract-billing-account' and a.to_id = p.billing_account_number
    where a.holds and a.valid_to is null and p.valid_to is null
),

running as (
    select
        r.subject_id,
        r.role,
        count(distinct r.contract_number) as count_contracts,
        count(distinct n.phone_number) as count_numbers,
        min(r.valid_from) as since_at
    from open_roles r
    join contracts c on c.contract_number = r.contract_number and c.state = 'active'
    left join numbers n on n.contract_number = r.contract_number and n.valid_to is null
    group by r.subject_id, r.role
),

-- A call is of whoever used the number when it began, whoever has it now.
called as (
    select
        u.subject_id, k.call_id, k.started_at, k.reason,
        row_number() over (
            partition by u.subject_id order by k.started_at desc, k.call_id desc, k.reason desc
        ) as place
    from calls k
    join numbers n
        on n.phone_number = k.phone_number
        and (n.valid_from is null or n.valid_from <= k.started_at)
        and (n.valid_to is null or k.started_at < n.valid_to)
    join roles u
        on u.role = 'user' and u.contract_number = n.contract_number
        and (u.valid_from is null or u.valid_from <= k.started_at)
        and (u.valid_to is null or k.started_at < u.valid_to)
),

calls_of as (
    select
        subject_id,
        count(distinct call_id) as count_calls,
        max(started_at) as last_call_at,
        max(case when place = 1 then reason end) as last_call_reason
    from called
    group by subject_id
),

-- An invoice is of whoever paid the account when it was sent.
billed as (
    select distinct p.subject_id, i.invoice_id, i.amount
    from invoices i
    join payers p
        on p.billing_account_number = i.billing_account_number
        and (p.valid_from is null or p.valid_from <= i.issued_at)
        and (p.valid_to is null or i.issued_at < p.valid_to)
    where i.currency = 'USD'
),

paid as (
    select invoice_id, sum(amount) as amount
    from (
        select distinct payment_id, invoice_id, amount from payments
        where currency = 'USD' and invoice_id in (select invoice_id from billed)
    ) p
    group by invoice_id
),

owed as (
    select
        b.subject_id,
        count(*) as count_open_invoices,
        sum(b.amount - coalesce(p.amount, 0)) as open_amount
    from billed b
    left join paid p on p.invoice_id = b.invoice_id
    where b.amount > coalesce(p.amount, 0)
    group by b.subject_id
),

subjects as (
    select subject_id, role from roles
    union
    select subject_id, 'payer' from payers
)

select
    s.subject_id,
    s.role,
    case when s.role <> 'household' then s.subject_id end as person_id,
    case when s.role = 'household' then s.subject_id end as household_id,
    coalesce(r.count_contracts, 0) as count_contracts,
    r.since_at,
    case when s.role <> 'resident' then coalesce(r.count_numbers, 0) end as count_numbers,
    case when s.role = 'user' then coalesce(k.count_calls, 0) end as count_calls,
    case when s.role = 'user' then k.last_call_at end as last_call_at,
    case when s.role = 'user' then k.last_call_reason end as last_call_reason,
    case when s.role = 'payer' then coalesce(o.count_open_invoices, 0) end as count_open_invoices,
    case when s.role = 'payer' then coalesce(o.open_amount, 0) end as open_amount,
    case when s.role = 'payer' then 'USD' end as currency
from subjects s
left join running r on r.subject_id = s.subject_id and r.role = s.role
left join calls_of k on k.subject_id = s.subject_id
left join owed o on o.subject_id = s.subject_id
