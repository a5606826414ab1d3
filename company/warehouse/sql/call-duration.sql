delete from integration.calls where loaded_on = getvariable('night');
-- Telephony's clock shows winter time of the head office.
insert into integration.calls
select
    call_id,
    phone_number,
    queue,
    coalesce(reason, 'none') as reason,
    cast(started_at + interval 1 hour as date) as call_day,
    date_diff('second', started_at, ended_at) as duration_s,
    agent_id is null as is_abandoned,
    loaded_on
from staging.calls
where loaded_on = getvariable('night');
