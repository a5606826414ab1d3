select
    _cause,
    number,
    account,
    amount,
    amount * 2 as twice
from new_entries
