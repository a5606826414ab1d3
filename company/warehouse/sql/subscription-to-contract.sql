delete from integration.call_contracts where loaded_on = getvariable('night');
insert into integration.call_contracts
select c.call_id, s.contract_number, c.queue, c.reason, c.call_day, c.loaded_on
from integration.calls c
join integration.phone_lines l on l.phone_number = c.phone_number
join integration.line_subscriptions s on s.line_id = l.line_id
where c.loaded_on = getvariable('night');
