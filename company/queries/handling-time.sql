/*
name: handling-time
version: 1.0.0
owner: ada
description: Answered calls of each queue, and how long one took.
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
  - name: queue
    logicalType: string
    description: The queue.
    required: true
    primaryKey: true
    primaryKeyPosition: 2
  - name: calls
    logicalType: integer
    description: How many were answered.
    required: true
  - name: mean_s
    logicalType: integer
    description: How long one took in the mean, in full seconds.
    required: true
*/
with

calls as (
    select call_id, queue, agent_id, duration_s, cast(started_at as date) as day, started_at
    from customer_service.call_center.calls
),

measured as (
    select day, queue, count(*) as calls, sum(duration_s) as total_s
    from calls
    where day = cast($day as date) and agent_id is not null
    group by all
),

-- In full seconds, as the call centre counts each call.
means as (
    select day, queue, calls, cast(total_s // calls as bigint) as mean_s from measured
)

select * from means order by all
