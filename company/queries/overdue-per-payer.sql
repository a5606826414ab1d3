/*
name: overdue-per-payer
version: 1.0.0
owner: katherine
description: What each payer owes of invoices that were due before a day.
parameters:
  - name: day
    logicalType: date
    description: The day, in UTC.
    examples: [2026-06-01]
result:
  - name: payer_id
    logicalType: string
    description: The person who pays for the account.
    required: true
    primaryKey: true
  - name: invoices
    logicalType: integer
    logicalTypeOptions:
      minimum: 1
    description: How many invoices are not paid in full.
    required: true
  - name: overdue_usd
    logicalType: number
    physicalType: decimal(14,2)
    logicalTypeOptions:
      minimum: 0
    description: What is missing of them.
    required: true
  - name: oldest_due_at
    logicalType: timestamp
    description: When the oldest of them was due.
    required: true
*/
with paid as (
    select invoice_id, sum(amount) as amount
    from finance.billing.payments
    where paid_at < $day
    group by invoice_id
),
overdue as (
    select
        invoice.billing_account_number,
        invoice.due_at,
        invoice.amount - coalesce(paid.amount, 0) as missing
    from finance.billing.invoices as invoice
    left join paid using (invoice_id)
    where invoice.due_at < $day and invoice.amount > coalesce(paid.amount, 0)
)
select
    link.to_id as payer_id,
    count(*) as invoices,
    sum(overdue.missing)::decimal(14, 2) as overdue_usd,
    min(overdue.due_at) as oldest_due_at
from overdue
join identity.key_ring.links as link
    on link.relation = 'billing-account-payer' and link.holds
    and link.from_id = overdue.billing_account_number
    and (link.valid_from is null or link.valid_from < $day)
    and (link.valid_to is null or link.valid_to >= $day)
group by payer_id
order by overdue_usd desc, payer_id
