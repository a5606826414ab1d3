/*
name: household-revenue
version: 1.0.0
owner: ada
description: What was invoiced on a day, per household of the contract at that moment.
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
  - name: household_id
    logicalType: string
    description: The household.
    required: true
    primaryKey: true
    primaryKeyPosition: 2
  - name: revenue
    logicalType: number
    physicalType: decimal(14,2)
    description: What was invoiced.
    required: true
*/
with

invoices as (
    select invoice_id, contract_number, issued_at, amount
    from finance.billing.invoices
),

households as (
    select from_id as contract_number, to_id as household_id, valid_from, valid_to
    from identity.key_ring.links
    where relation = 'contract-household' and holds
)

select
    cast(i.issued_at as date) as day,
    h.household_id,
    cast(sum(i.amount) as decimal(14, 2)) as revenue
from invoices i
join households h
    on h.contract_number = i.contract_number
    and (h.valid_from is null or h.valid_from <= i.issued_at)
    and (h.valid_to is null or i.issued_at < h.valid_to)
where cast(i.issued_at as date) = cast($day as date)
group by all
order by all
