/*
name: calls-by-kind
version: 1.0.0
owner: ada
description: Calls at a queue, by the kind of contract that had the number when it called.
parameters:
  - name: queue
    logicalType: string
    description: The queue that the caller chose.
    examples: [billing]
    enum:
      - {value: billing}
      - {value: porting}
      - {value: technical}
      - {value: sales}
      - {value: cancellation}
      - {value: general}
result:
  - name: kind
    logicalType: string
    description: What the contract is about.
    required: true
    primaryKey: true
  - name: calls
    logicalType: integer
    logicalTypeOptions: {minimum: 1}
    description: How many were made.
    required: true
*/
select contract.kind, count(*) as calls
from customer_service.call_center.calls as call
join identity.key_ring.links as link
    on link.relation = 'phone-number-contract' and link.holds
    and link.from_id = call.phone_number
    and link.valid_from <= call.started_at
    and (link.valid_to is null or link.valid_to > call.started_at)
join sales.contracts.contracts as contract
    on contract.contract_number = link.to_id
where call.queue = $queue
group by all
order by kind
