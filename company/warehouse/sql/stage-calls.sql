insert into staging.calls
select
    call_id, phone_number, queue, agent_id, reason, started_at, ended_at,
    getvariable('night') as loaded_on
from landing.finished_calls;
