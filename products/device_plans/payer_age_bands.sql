-- One row per person, as it was written down.
select
    _cause,
    person_id,
    age_band,
    declared_at
from new_declared_age_bands
