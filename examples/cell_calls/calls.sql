-- One row per call that a cell carried: what the switches say, as they say it.
select
    _cause,
    record_id,
    phone_number,
    cell,
    started_at,
    duration_s
from new_records
