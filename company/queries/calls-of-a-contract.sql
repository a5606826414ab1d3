/*
name: calls-of-a-contract
version: 1.0.0
owner: ada
description: Calls from the numbers of a contract in a month, by day.
parameters:
  - name: contract_number
    logicalType: string
    description: The contract that had the number when it called.
    examples: [C-000057174]
  - name: month
    logicalType: date
    description: Any day of the month, in UTC.
    examples: [2026-01-01]
result:
  - name: day
    logicalType: date
    description: The day on which the calls began, in UTC.
    required: true
    primaryKey: true
  - name: calls
    logicalType: integer
    logicalTypeOptions:
      minimum: 1
    description: How many began on that day.
    required: true
  - name: seconds
    logicalType: integer
    logicalTypeOptions:
      minimum: 0
    description: How long they lasted together.
    required: true
*/
select
    call.started_at::date as day,
    count(*) as calls,
    sum(call.duration_s)::bigint as seconds
from customer_service.call_center.calls as call
join identity.key_ring.links as link
    on link.relation = 'phone-number-contract' and link.holds
    and link.from_id = call.phone_number
    and link.valid_from <= call.started_at
    and (link.valid_to is null or link.valid_to > call.started_at)
where link.to_id = $contract_number
    and date_trunc('month', call.started_at) = date_trunc('month', $month)
group by day
order by day
