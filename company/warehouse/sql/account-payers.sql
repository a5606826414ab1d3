delete from integration.account_payers;
insert into integration.account_payers
select billing_account_number, payer_id, valid_from, valid_to
from (
    select *
    from staging.payer_changes
    qualify row_number() over (partition by link_id order by revision desc) = 1
)
where not retracted;
