-- rows of: statements
-- What a pair is computed from: the links of its two statements, and whatever was said under the
-- same ids.
with
told_of as (
    select relation, statement_id from _touched
    union
    select relation, holder_statement_id from _touched
),

linked as (
    select s.relation, s.link_id from statements s
    semi join told_of t on t.relation = s.relation and t.statement_id = s.statement_id
),

whole as (
    select s.relation, s.statement_id from statements s
    semi join linked l on l.relation = s.relation and l.link_id = s.link_id
)

select s.* from statements s
semi join whole w on w.relation = s.relation and w.statement_id = s.statement_id
