-- One row per contract and role: the newest run that is whole and was fair, and no other.
-- The last row of a run's scores is about nobody: it says that all are there, and no erasure takes it.
with

whole_runs as (
    select r.run_id, r.as_of, r.count_read
    from run_records r
    join run_scores s using (run_id)
    where r.outcome = 'published' and s.contract_number is null
),

newest as (
    select arg_max(run_id, struct_pack(as_of, count_read, run_id)) as run_id
    from whole_runs
)

select
    s.contract_number,
    s.role,
    s.payer_id,
    s.as_of,
    s.score,
    s.review,
    s.run_id
from run_scores s
join newest using (run_id)
where s.contract_number is not null
