/*
name: ported-number
place: 8
needs: call_links
whose: warehouse
about: >-
  All numbers are mapped to contracts on Sundays only; in between a number keeps what it had.
*/
-- A call's moment is the run in which it was attributed, as a day since 1970.
create view calls as
select c.* replace (to_timestamp(k.seq * 86400) as started_at)
from calls c
join evidence.copies k
    on k.as_run = getvariable('repeated_night') and k.day = cast($day as date)
    and k.night = cast(c.started_at as date);

create view call_links as
select phone_number, contract_number,
    to_timestamp(from_seq * 86400) as valid_from, to_timestamp(to_seq * 86400) as valid_to
from evidence.mapped
where as_run = getvariable('repeated_night') and as_known = getvariable('late_data')
    and is_with = getvariable('fault_of_ours');
