-- One row per statement about a link: what it says, for how long it was the newest, whether it
-- counts by all that is known now.
with
-- A statement may be said twice; the log keeps the newer one when it is compacted, and so do we.
told as (
    select * from statements
    qualify row_number() over (
        partition by relation, statement_id order by recorded_at desc, "partition" desc, "offset" desc
    ) = 1
),

stated as (
    select
        *,
        lead(recorded_at) over newer as known_to,
        first_value(recorded_at) over newer as first_at,
        first_value("partition") over newer as first_partition,
        first_value("offset") over newer as first_offset
    from told
    window newer as (partition by relation, link_id order by recorded_at, "partition", "offset")
),

-- The newest statement of every link that is not taken back.
standing as (
    select * from stated
    where known_to is null and not retracted
),

-- Of two links that contradict each other, the one that was first recorded counts.
disputed as (
    select s.relation, s.statement_id
    from standing s
    join standing h
        on h.relation = s.relation and h.from_id = s.from_id and h.to_id <> s.to_id
    where s.cardinality in ('many-to-one', 'one-to-one')
        and (h.first_at, h.first_partition, h.first_offset)
            < (s.first_at, s.first_partition, s.first_offset)
        and greatest(coalesce(h.valid_from, '-infinity'), coalesce(s.valid_from, '-infinity'))
            < least(coalesce(h.valid_to, 'infinity'), coalesce(s.valid_to, 'infinity'))
    union
    select s.relation, s.statement_id
    from standing s
    join standing h
        on h.relation = s.relation and h.to_id = s.to_id and h.from_id <> s.from_id
    where s.cardinality in ('one-to-many', 'one-to-one')
        and (h.first_at, h.first_partition, h.first_offset)
            < (s.first_at, s.first_partition, s.first_offset)
        and greatest(coalesce(h.valid_from, '-infinity'), coalesce(s.valid_from, '-infinity'))
            < least(coalesce(h.valid_to, 'infinity'), coalesce(s.valid_to, 'infinity'))
)

select
    s.relation,
    s.statement_id,
    s.link_id,
    s.from_type,
    s.from_id,
    s.to_type,
    s.to_id,
    s.valid_from,
    s.valid_to,
    s.retracted,
    s.recorded_at as known_from,
    s.known_to,
    s.known_to is null and not s.retracted and d.statement_id is null as holds,
    s.cardinality,
    s.authority,
    s.topic,
    s."partition",
    s."offset"
from stated s
left join disputed d on d.relation = s.relation and d.statement_id = s.statement_id
