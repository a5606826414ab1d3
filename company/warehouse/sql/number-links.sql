delete from integration.number_links;
insert into integration.number_links
select link_id, phone_number, contract_number, valid_from, valid_to
from (
    select *
    from staging.number_changes
    qualify row_number() over (partition by link_id order by revision desc) = 1
)
where not retracted;
