delete from integration.contracts;
insert into integration.contracts
select contract_number, kind, opened_at, closed_at
from staging.contract_changes
qualify row_number() over (partition by contract_number order by revision desc) = 1;
