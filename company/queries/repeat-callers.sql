/*
name: repeat-callers
version: 1.0.0
owner: ada
description: Numbers that called again within some days, and how often in all.
parameters:
  - name: since
    logicalType: date
    description: From which day calls count, in UTC.
    examples: [2026-01-01]
  - name: days
    logicalType: integer
    description: Within how many days somebody calls again.
    examples: [7]
    logicalTypeOptions:
      minimum: 1
result:
  - name: phone_number
    logicalType: string
    description: The number.
    required: true
    primaryKey: true
  - name: calls
    logicalType: integer
    logicalTypeOptions:
      minimum: 2
    description: How many calls came from it.
    required: true
  - name: again
    logicalType: integer
    logicalTypeOptions:
      minimum: 1
    description: How many of them within that time of the one before.
    required: true
  - name: last_at
    logicalType: timestamp
    description: When the last one began.
    required: true
*/
with call as (
    select
        phone_number,
        started_at,
        lag(started_at) over (partition by phone_number order by started_at) as before_at
    from customer_service.call_center.calls
    where started_at >= $since
)
select
    phone_number,
    count(*) as calls,
    count(*) filter (started_at < before_at + to_days($days::integer)) as again,
    max(started_at) as last_at
from call
group by phone_number
having again > 0
order by again desc, phone_number
