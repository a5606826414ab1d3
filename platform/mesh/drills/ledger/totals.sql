select
    account,
    count(*) as entries,
    sum(amount)::bigint as amount
from entries
group by account
