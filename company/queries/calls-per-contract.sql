/*
name: calls-per-contract
version: 1.0.0
owner: ada
description: Calls per contract and reason, of the contract that had the number when it called.
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
  - name: reason
    logicalType: string
    description: Why they called; none where nobody noted it.
    required: true
    primaryKey: true
    primaryKeyPosition: 3
  - name: calls
    logicalType: integer
    description: How many calls.
    required: true
*/
with

calls as (
    select call_id, phone_number, reason, cast(started_at as date) as day, started_at
    from customer_service.call_center.calls
),

call_links as (
    select from_id as phone_number, to_id as contract_number, valid_from, valid_to
    from identity.key_ring.links
    where relation = 'phone-number-contract' and holds
)

select
    c.day,
    l.contract_number,
    coalesce(c.reason, 'none') as reason,
    count(*) as calls
from calls c
join call_links l
    on l.phone_number = c.phone_number
    and (l.valid_from is null or l.valid_from <= c.started_at)
    and (l.valid_to is null or c.started_at < l.valid_to)
where c.day = cast($day as date)
group by all
order by all
