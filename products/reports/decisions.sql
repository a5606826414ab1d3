-- One row per decision, as it was made.
select
    _cause,
    report,
    number,
    decision,
    principal,
    digest,
    clean_nights,
    reason,
    decided_at
from new_made_decisions
