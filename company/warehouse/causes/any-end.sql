/*
name: any-end
place: 4
whose: warehouse
about: >-
  What has an end is over for the warehouse, whenever that is; and has begun, whenever that is.
*/
create view payers as
select from_id as billing_account_number, to_id as payer_id
from identity.key_ring.links
where relation = 'billing-account-payer' and holds and valid_to is null;

create view running as
select c.contract_number, m.day from contracts c, moments m where c.closed_at is null;
