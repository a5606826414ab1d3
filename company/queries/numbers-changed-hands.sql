/*
name: numbers-changed-hands
version: 1.0.0
owner: ada
description: Numbers that went from one contract to another in a time.
parameters:
  - name: first
    logicalType: date
    description: The first day, in UTC.
    examples: [2026-01-01]
  - name: last
    logicalType: date
    description: The last day, in UTC.
    examples: [2026-06-30]
result:
  - name: phone_number
    logicalType: string
    description: The number.
    required: true
    primaryKey: true
    primaryKeyPosition: 1
  - name: changed_at
    logicalType: timestamp
    description: When the new contract had it.
    required: true
    primaryKey: true
    primaryKeyPosition: 2
  - name: old_contract
    logicalType: string
    description: The contract that had it before.
    required: true
  - name: new_contract
    logicalType: string
    description: The contract that has it since.
    required: true
*/
with link as (
    select
        from_id as phone_number,
        to_id as contract_number,
        valid_from,
        lag(to_id) over (partition by from_id order by valid_from) as old_contract
    from identity.key_ring.links
    where relation = 'phone-number-contract' and holds
)
select phone_number, valid_from as changed_at, old_contract, contract_number as new_contract
from link
where old_contract <> contract_number
    and valid_from >= $first and valid_from < $last + interval 1 day
order by changed_at, phone_number
