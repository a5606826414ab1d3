-- rows of: statements
-- What a statement's row is computed from: its link, the links that share an end with it where
-- only one may have it, and whatever was said under the same ids.
with
own as (
    select s.* from statements s
    semi join _touched t on t.relation = s.relation and t.statement_id = s.statement_id
),

linked as (
    select s.* from statements s
    semi join own o on o.relation = s.relation and o.link_id = s.link_id
),

beside as (
    select s.relation, s.link_id from statements s
    semi join linked o on o.relation = s.relation and o.from_id = s.from_id
    where s.cardinality in ('many-to-one', 'one-to-one')
    union
    select s.relation, s.link_id from statements s
    semi join linked o on o.relation = s.relation and o.to_id = s.to_id
    where s.cardinality in ('one-to-many', 'one-to-one')
    union
    select relation, link_id from linked
),

whole as (
    select s.relation, s.statement_id from statements s
    semi join beside b on b.relation = s.relation and b.link_id = s.link_id
)

select s.* from statements s
semi join whole w on w.relation = s.relation and w.statement_id = s.statement_id
