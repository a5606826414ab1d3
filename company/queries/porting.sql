/*
name: porting
version: 1.0.0
owner: ada
description: Numbers that came on a day, left, or moved from one contract to another.
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
  - name: what
    logicalType: string
    description: Whether they came, left or moved.
    required: true
    primaryKey: true
    primaryKeyPosition: 2
  - name: numbers
    logicalType: integer
    description: How many numbers.
    required: true
*/
with

number_links as (
    select from_id as phone_number, to_id as contract_number, valid_from, valid_to
    from identity.key_ring.links
    where relation = 'phone-number-contract' and holds
),

begun as (
    select if(o.phone_number is null, 'came', 'moved') as what
    from number_links n
    left join (select distinct phone_number, valid_to from number_links) o
        on o.phone_number = n.phone_number and o.valid_to = n.valid_from
    where cast(n.valid_from as date) = cast($day as date)
),

ended as (
    select 'left' as what
    from number_links n
    anti join number_links o
        on o.phone_number = n.phone_number and o.valid_from = n.valid_to
    where cast(n.valid_to as date) = cast($day as date)
)

select cast($day as date) as day, what, count(*) as numbers
from (from begun union all from ended)
group by all
order by all
