delete from staging.contract_changes where loaded_on = getvariable('night');
insert into staging.contract_changes
select contract_number, revision, kind, opened_at, closed_at, getvariable('night') as loaded_on
from landing.contract_changes;

delete from staging.number_changes where loaded_on = getvariable('night');
insert into staging.number_changes
select
    link_id, revision, phone_number, contract_number, valid_from, valid_to, retracted,
    getvariable('night') as loaded_on
from landing.number_changes;

delete from staging.household_changes where loaded_on = getvariable('night');
insert into staging.household_changes
select
    link_id, revision, contract_number, household_id, valid_from, valid_to, retracted,
    getvariable('night') as loaded_on
from landing.household_changes;
