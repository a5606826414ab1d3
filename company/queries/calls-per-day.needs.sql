-- rows of: call_center_calls
-- A range, so that DuckDB passes over blocks of rows; days between are too many, and right.
select calls.*
from
    customer_service.call_center.calls,
    (
        select min(day)::timestamptz as since, (max(day) + 1)::timestamptz as until
        from _touched
    ) as days
where calls.started_at >= days.since and calls.started_at < days.until
