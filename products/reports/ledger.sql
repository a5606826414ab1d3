-- One row per comparison of a day of a report, as it was told.
select
    _cause,
    report,
    day,
    compared_at,
    equal,
    different,
    only_mesh,
    only_warehouse,
    unexplained,
    causes,
    offsets,
    digest
from new_verdicts
