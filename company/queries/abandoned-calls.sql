/*
name: abandoned-calls
version: 1.0.0
owner: ada
description: Calls that nobody took on a day, by queue and hour.
parameters:
  - name: day
    logicalType: date
    description: The day, in UTC.
    examples: [2026-01-05]
result:
  - name: queue
    logicalType: string
    description: The queue that the caller chose.
    required: true
    primaryKey: true
    primaryKeyPosition: 1
  - name: hour
    logicalType: integer
    logicalTypeOptions:
      maximum: 23
    description: The hour in which the calls began, in UTC.
    required: true
    primaryKey: true
    primaryKeyPosition: 2
  - name: calls
    logicalType: integer
    description: How many calls began in it.
    required: true
  - name: abandoned
    logicalType: integer
    logicalTypeOptions:
      minimum: 1
    description: How many of them nobody took.
    required: true
*/
select
    queue,
    hour(started_at) as hour,
    count(*) as calls,
    count(*) filter (agent_id is null) as abandoned
from customer_service.call_center.calls
where started_at::date = $day
group by queue, hour
having abandoned > 0
order by queue, hour
