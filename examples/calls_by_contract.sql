-- Which contracts called most about invoices: each call belongs to the contract that had its
-- number at that moment.
with call as (
    select link.to_id as contract_number
    from customer_service.call_center.calls as call
    join identity.key_ring.links as link
        on link.relation = 'phone-number-contract' and link.holds
        and link.from_id = call.phone_number
        and link.valid_from <= call.started_at
        and (link.valid_to is null or link.valid_to > call.started_at)
    where call.queue = 'billing'
)
select contract_number, contract.kind, contract.state, count(*) as calls
from call
join sales.contracts.contracts as contract using (contract_number)
group by all
order by calls desc, contract_number
limit 5
