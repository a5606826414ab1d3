/*
name: late-data
place: 2
whose: sources
about: >-
  Only what was written by the end of that night; the warehouse never looks back.
*/
create view identity.key_ring.links as
select s.relation, s.from_id, s.to_id, s.valid_from, s.valid_to, s.retracted,
    cast(null as timestamptz) as known_to,
    not s.retracted and not exists (
        select 1
        from evidence.disputed d
        where d.is_with = s.is_with and d.relation = s.relation
            and d.statement_id = s.statement_id
            and d.night <= r.known_by and (d.replaced is null or d.replaced > r.known_by)
    ) as holds
from evidence.reports r
join evidence.known s
    on s.night <= r.known_by and (s.replaced is null or s.replaced > r.known_by)
where r.as_run = getvariable('repeated_night') and r.day = cast($day as date)
    and s.is_with = getvariable('fault_of_ours');

-- A call is attributed in its own night, by what was known then.
create view call_links as
select from_id as phone_number, to_id as contract_number,
    greatest(valid_from, cast(night as timestamptz)) as valid_from,
    least(valid_to, cast(replaced as timestamptz)) as valid_to
from evidence.known
where relation = 'phone-number-contract' and not retracted
    and is_with = getvariable('fault_of_ours');

create view contracts as
select c.contract_number,
    if(k.replaced is null, c.opened_at, k.opened_at) as opened_at,
    if(k.replaced is null, c.closed_at, k.closed_at) as closed_at
from contracts c
join evidence.contract_revisions k on k.contract_number = c.contract_number
join evidence.reports r
    on r.as_run = getvariable('repeated_night') and r.day = cast($day as date)
    and k.night <= r.known_by and (k.replaced is null or k.replaced > r.known_by);
