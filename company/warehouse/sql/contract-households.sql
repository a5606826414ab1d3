delete from integration.contract_households;
insert into integration.contract_households
select contract_number, household_id, valid_from, valid_to
from (
    select *
    from staging.household_changes
    qualify row_number() over (partition by link_id order by revision desc) = 1
)
where not retracted;
