-- One row per finished call. The duration is a fact of this domain, so it is computed here.
with

finished_calls as (
    select * from new_finished_calls
),

measured as (
    select
        _cause,
        call_id,
        phone_number,
        queue,
        agent_id,
        reason,
        site,
        started_at,
        ended_at,
        date_sub('second', started_at, ended_at) as duration_s
    from finished_calls
)

select * from measured
