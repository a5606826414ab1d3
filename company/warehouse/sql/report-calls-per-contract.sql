delete from report.calls_per_contract where day = getvariable('night');
insert into report.calls_per_contract
select call_day as day, contract_number, reason, count(*) as calls
from integration.call_contracts
where call_day = getvariable('night')
group by call_day, contract_number, reason;
