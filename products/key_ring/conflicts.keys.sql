-- The pairs that contradict each other, or did, of which one is of a link that the batch touched.
with
-- The links that a batch may change: those of its statements, and of what was said again.
links_touched as (
    select relation, link_id from changed_statements
    union
    select s.relation, s.link_id
    from statements s
    join changed_statements c on c.relation = s.relation and c.statement_id = s.statement_id
),

fresh as (
    select distinct topic, "partition", "offset" from changed_statements
),

erased as (
    select c.* from changed_statements c
    anti join statements s
        on s.topic = c.topic and s."partition" = c."partition" and s."offset" = c."offset"
),

changed_ends as (
    select s.relation, s.from_id, s.to_id
    from statements s
    semi join links_touched t on t.relation = s.relation and t.link_id = s.link_id
    union
    select relation, from_id, to_id from changed_statements
),

-- What shares an end with one of them, where only one may have it.
beside as (
    select relation, link_id from links_touched
    union
    select s.relation, s.link_id
    from statements s
    join changed_ends e on e.relation = s.relation and e.from_id = s.from_id
    where s.cardinality in ('many-to-one', 'one-to-one')
    union
    select s.relation, s.link_id
    from statements s
    join changed_ends e on e.relation = s.relation and e.to_id = s.to_id
    where s.cardinality in ('one-to-many', 'one-to-one')
),

-- By name: the table has the origin of its rows beside them.
around as (
    select s.* from statements s
    semi join beside b on b.relation = s.relation and b.link_id = s.link_id
    union all by name
    select * from erased
),

-- What is erased now was said too, before the batch.
said_again as (
    select relation, statement_id
    from (
        select s.relation, s.statement_id from statements s
        semi join around a on a.relation = s.relation and a.statement_id = s.statement_id
        union all
        select relation, statement_id from erased
    )
    group by all having count(*) > 1
),

-- How long each was the newest of its link at most: before the batch, or after it. What the
-- batch has brought, or was said again, may not have ended it.
spans as (
    select
        a.relation, a.link_id, a.statement_id, a.cardinality, a.from_id, a.to_id, a.retracted,
        coalesce(a.valid_from, '-infinity') as valid_from,
        coalesce(a.valid_to, 'infinity') as valid_to,
        a.recorded_at as known_from,
        coalesce(
            min(case when f.topic is null and g.relation is null then a.recorded_at end) over (
                partition by a.relation, a.link_id
                order by a.recorded_at, a."partition", a."offset"
                rows between 1 following and unbounded following
            ),
            'infinity'
        ) as known_to
    from around a
    left join fresh f
        on f.topic = a.topic and f."partition" = a."partition" and f."offset" = a."offset"
    left join said_again g on g.relation = a.relation and g.statement_id = a.statement_id
),

own as (
    select s.* from spans s
    semi join links_touched t on t.relation = s.relation and t.link_id = s.link_id
),

pairs as (
    select o.relation, o.statement_id as one_id, p.statement_id as other_id,
        o.known_to as one_to, p.known_to as other_to
    from own o
    join spans p
        on p.relation = o.relation and p.from_id = o.from_id and p.to_id <> o.to_id
        and p.valid_from < o.valid_to and o.valid_from < p.valid_to
        and p.known_from < o.known_to and o.known_from < p.known_to
    where o.cardinality in ('many-to-one', 'one-to-one') and not o.retracted and not p.retracted
    union all
    select o.relation, o.statement_id, p.statement_id, o.known_to, p.known_to
    from own o
    join spans p
        on p.relation = o.relation and p.to_id = o.to_id and p.from_id <> o.from_id
        and p.valid_from < o.valid_to and o.valid_from < p.valid_to
        and p.known_from < o.known_to and o.known_from < p.known_to
    where o.cardinality in ('one-to-many', 'one-to-one') and not o.retracted and not p.retracted
)

select relation, one_id, other_id from pairs
union
select relation, other_id, one_id from pairs
