/*
name: repeated-night
place: 5
whose: warehouse
about: >-
  A night that ran again has each of its calls once more, and what was known by then.
evidence: >-
  select exists (select night from evidence.runs where as_run group by night having count(*) > 1)
*/
create view calls as
select c.*
from calls c
join evidence.copies k
    on k.as_run and k.day = cast($day as date) and k.night = cast(c.started_at as date)
join (select unnest(range(1, 100)) as n) copy on copy.n <= k.copies;

create view moments as
select m.day, greatest(m.moment, cast(r.known_by + 1 as timestamptz)) as moment
from moments m
join evidence.reports r on r.as_run and r.day = m.day;
