/*
name: calls-per-day
version: 1.1.0
owner: ada
description: Calls per day and queue, kept as a table.
mart: {on: new offsets}
result:
  - name: day
    logicalType: date
    description: The day on which the calls began, in UTC.
    required: true
    primaryKey: true
    primaryKeyPosition: 1
    customProperties:
      - property: identifier
        value: report-day
  - name: queue
    logicalType: string
    description: The queue that the caller chose.
    required: true
    primaryKey: true
    primaryKeyPosition: 2
  - name: calls
    logicalType: integer
    logicalTypeOptions:
      minimum: 1
    description: How many began on that day.
    required: true
  - name: abandoned
    logicalType: integer
    logicalTypeOptions:
      minimum: 0
    description: How many of them nobody took.
    required: true
  - name: seconds
    logicalType: integer
    logicalTypeOptions:
      minimum: 0
    description: How long they lasted together.
    required: true
*/
select
    started_at::date as day,
    queue,
    count(*) as calls,
    count(*) filter (agent_id is null) as abandoned,
    sum(duration_s)::bigint as seconds
from customer_service.call_center.calls
group by all
