-- One row per publication of a day, as the batch run announced it.
select
    _cause,
    port,
    day,
    generation,
    count_rows,
    count_quarantined,
    size_bytes,
    digest,
    deliveries,
    published_at
from new_published_days
