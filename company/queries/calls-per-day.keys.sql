-- The day and the queue of each new call.
select started_at::date, queue from changed_call_center_calls
