/*
name: churn-signals
version: 1.0.0
owner: ada
description: Contracts that run at the end of a day and show at least one sign of being given up.
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
  - name: contract_number
    logicalType: string
    description: The contract.
    required: true
    primaryKey: true
    primaryKeyPosition: 2
  - name: cancellation_calls
    logicalType: integer
    description: Calls in the queue for cancellations in the 30 days up to that day.
    required: true
  - name: overdue_invoices
    logicalType: integer
    description: Invoices that were due before that day and are not paid.
    required: true
  - name: lost_numbers
    logicalType: integer
    description: Numbers that left it in the 30 days up to that day.
    required: true
*/
with

moments as (
    select cast($day as date) as day, cast($day as date) + interval 1 day as moment
),

calls as (
    select call_id, phone_number, queue, cast(started_at as date) as day, started_at
    from customer_service.call_center.calls
),

call_links as (
    select from_id as phone_number, to_id as contract_number, valid_from, valid_to
    from identity.key_ring.links
    where relation = 'phone-number-contract' and holds
),

cancellations as (
    select l.contract_number, count(*) as calls
    from calls c
    join call_links l
        on l.phone_number = c.phone_number
        and (l.valid_from is null or l.valid_from <= c.started_at)
        and (l.valid_to is null or c.started_at < l.valid_to)
    cross join moments m
    where c.queue = 'cancellation' and c.day between m.day - 29 and m.day
    group by all
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

overdue as (
    select i.contract_number, count(*) as invoices
    from open_invoices i, moments m
    where cast(i.due_at as date) < m.day
    group by all
),

-- As call_links; a cause changes what calls are joined with, and not which numbers were lost.
number_links as (
    select from_id as phone_number, to_id as contract_number, valid_from, valid_to
    from identity.key_ring.links
    where relation = 'phone-number-contract' and holds
),

lost as (
    select n.contract_number, count(*) as numbers
    from number_links n, moments m
    where cast(n.valid_to as date) between m.day - 29 and m.day
    group by all
),

contracts as (
    select contract_number, opened_at, closed_at from sales.contracts.contracts
),

running as (
    select c.contract_number, m.day
    from contracts c, moments m
    where c.opened_at < m.moment and (c.closed_at is null or c.closed_at >= m.moment)
)

select
    r.day,
    r.contract_number,
    coalesce(k.calls, 0) as cancellation_calls,
    coalesce(o.invoices, 0) as overdue_invoices,
    coalesce(n.numbers, 0) as lost_numbers
from running r
left join cancellations k on k.contract_number = r.contract_number
left join overdue o on o.contract_number = r.contract_number
left join lost n on n.contract_number = r.contract_number
where k.calls > 0 or o.invoices > 0 or n.numbers > 0
order by all
