-- One row per pair of statements that contradict each other while both were the newest of their
-- links: the link that was first recorded counts, the other changes no answer.
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

standing as (
    select * from stated
    where not retracted and (known_to is null or recorded_at < known_to)
),

pairs as (
    select
        s.relation, s.statement_id, h.statement_id as holder_statement_id,
        s.recorded_at as s_from, h.recorded_at as h_from,
        s.known_to as s_to, h.known_to as h_to,
        s.link_id, s.from_id, s.to_id, s.valid_from, s.valid_to,
        h.link_id as holder_link_id, h.from_id as holder_from_id, h.to_id as holder_to_id,
        h.valid_from as holder_valid_from, h.valid_to as holder_valid_to,
        s.authority, s.topic, s."partition", s."offset",
        h."partition" as holder_partition, h."offset" as holder_offset
    from standing s
    join standing h
        on h.relation = s.relation and h.from_id = s.from_id and h.to_id <> s.to_id
        and h.link_id <> s.link_id
    where s.cardinality in ('many-to-one', 'one-to-one')
        and (h.first_at, h.first_partition, h.first_offset)
            < (s.first_at, s.first_partition, s.first_offset)
        and greatest(coalesce(h.valid_from, '-infinity'), coalesce(s.valid_from, '-infinity'))
            < least(coalesce(h.valid_to, 'infinity'), coalesce(s.valid_to, 'infinity'))
    union all
    select
        s.relation, s.statement_id, h.statement_id,
        s.recorded_at, h.recorded_at, s.known_to, h.known_to,
        s.link_id, s.from_id, s.to_id, s.valid_from, s.valid_to,
        h.link_id, h.from_id, h.to_id, h.valid_from, h.valid_to,
        s.authority, s.topic, s."partition", s."offset", h."partition", h."offset"
    from standing s
    join standing h
        on h.relation = s.relation and h.to_id = s.to_id and h.from_id <> s.from_id
        and h.link_id <> s.link_id
    where s.cardinality in ('one-to-many', 'one-to-one')
        and (h.first_at, h.first_partition, h.first_offset)
            < (s.first_at, s.first_partition, s.first_offset)
        and greatest(coalesce(h.valid_from, '-infinity'), coalesce(s.valid_from, '-infinity'))
            < least(coalesce(h.valid_to, 'infinity'), coalesce(s.valid_to, 'infinity'))
)

select
    * exclude (s_from, h_from, s_to, h_to),
    greatest(s_from, h_from) as known_from,
    least(s_to, h_to) as known_to
from pairs
where (s_to is null or h_from < s_to) and (h_to is null or s_from < h_to)
