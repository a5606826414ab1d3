/*
name: households-with-several-payers
version: 1.0.0
owner: ada
description: Households whose contracts are paid by more than one person at an instant.
parameters:
  - name: at
    logicalType: timestamp
    description: The instant.
    examples: ["2026-03-01T00:00:00Z"]
result:
  - name: household_id
    logicalType: string
    description: The household.
    required: true
    primaryKey: true
  - name: payers
    logicalType: integer
    logicalTypeOptions:
      minimum: 2
    description: How many persons pay for its contracts.
    required: true
  - name: contracts
    logicalType: integer
    logicalTypeOptions:
      minimum: 1
    description: How many contracts it has.
    required: true
*/
with link as (
    select relation, from_id, to_id
    from identity.key_ring.links
    where holds
        and (valid_from is null or valid_from <= $at)
        and (valid_to is null or valid_to > $at)
)
select
    household.to_id as household_id,
    count(distinct payer.to_id) as payers,
    count(distinct household.from_id) as contracts
from link as household
join link as account
    on account.relation = 'contract-billing-account' and account.from_id = household.from_id
join link as payer
    on payer.relation = 'billing-account-payer' and payer.from_id = account.to_id
where household.relation = 'contract-household'
group by household_id
having payers > 1
order by payers desc, household_id
