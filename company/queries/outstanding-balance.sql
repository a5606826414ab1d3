/*
name: outstanding-balance
version: 1.0.0
owner: ada
description: What each payer owes at the end of a day.
parameters:
  - name: day
    logicalType: date
    description: The day, in UTC.
    examples: [2026-02-01]
result:
  - name: day
    logicalType: date
    description: The day.
    required: true
    primaryKey: true
    primaryKeyPosition: 1
  - name: payer_id
    logicalType: string
    description: The person who pays.
    required: true
    primaryKey: true
    primaryKeyPosition: 2
  - name: outstanding
    logicalType: number
    physicalType: decimal(14,2)
    description: What is invoiced and not paid.
    required: true
*/
with

moments as (
    select cast($day as date) as day, cast($day as date) + interval 1 day as moment
),

invoices as (
    select i.invoice_id, i.billing_account_number, i.contract_number, i.due_at, i.amount
    from finance.billing.invoices i, moments m
    where i.issued_at < m.moment
),

payments as (
    select p.invoice_id, p.amount
    from finance.billing.payments p, moments m
    where p.paid_at < m.moment
),

open_invoices as (
    select i.invoice_id, i.billing_account_number, i.contract_number, i.due_at,
        i.amount - coalesce(p.amount, 0) as outstanding
    from invoices i
    left join (
        select invoice_id, sum(amount) as amount from payments group by invoice_id
    ) p on p.invoice_id = i.invoice_id
    where i.amount > coalesce(p.amount, 0)
),

payers as (
    select l.from_id as billing_account_number, l.to_id as payer_id
    from identity.key_ring.links l, moments m
    where l.relation = 'billing-account-payer' and l.holds
        and (l.valid_from is null or l.valid_from < m.moment)
        and (l.valid_to is null or l.valid_to >= m.moment)
)

select m.day, p.payer_id, cast(sum(i.outstanding) as decimal(14, 2)) as outstanding
from open_invoices i
join payers p on p.billing_account_number = i.billing_account_number
cross join moments m
group by all
order by all
