-- What the causes are computed from: what was sent when, and which nights ran in which order.
-- `sent` has all that came to the warehouse, each record with its night; `operation.runs` the runs.
create schema evidence;

-- The runs of nights in their order, as they were, and as if each had run once.
create table evidence.runs as
with ordered as (
    select true as as_run, row_number() over (order by rowid) as seq, night
    from operation.runs
    where place = 0
    union all
    select false, row_number() over (order by night), night
    from (select distinct night from operation.runs where place = 0)
)
select
    *,
    max(night) over (partition by as_run order by seq) as known_by,
    max(case when dayofweek(night) = 0 or seq = 1 then seq end)
        over (partition by as_run order by seq) as mapped_seq
from ordered;

-- The run that made a day's reports last, and what was known by then.
create table evidence.reports as
select as_run, night as day, max(seq) as seq, arg_max(known_by, seq) as known_by
from evidence.runs
group by all;

-- How often a night had run when a day's reports were made, and in which run last.
create table evidence.copies as
select r.as_run, r.day, n.night, count(*) as copies, max(n.seq) as seq
from evidence.reports r
join evidence.runs n on n.as_run = r.as_run and n.seq <= r.seq
group by all;

-- The statements about links, and in which night each was sent; null, not yet.
create table evidence.sent_statements as
select 'phone-number-contract' as relation, statement_id, link_id, revision, phone_number as from_id,
    contract_number as to_id, valid_from, valid_to, retracted, written_at, night
from sent.number_changes
union all
select 'contract-household', statement_id, link_id, revision, contract_number, household_id,
    valid_from, valid_to, retracted, written_at, night
from sent.household_changes
union all
select 'billing-account-payer', statement_id, link_id, revision, billing_account_number, payer_id,
    valid_from, valid_to, retracted, written_at, night
from sent.payer_changes;

-- The mesh's statements, and those that it should have and has not.
create table evidence.statements as
with every as (
    select l.relation, l.statement_id, l.link_id, l.from_id, l.to_id, l.valid_from, l.valid_to,
        l.retracted, s.revision, s.written_at, s.night, false as is_missing
    from identity.key_ring.links l
    join evidence.sent_statements s
        on s.relation = l.relation and s.statement_id = l.statement_id
    union all
    select s.relation, s.statement_id, s.link_id, s.from_id, s.to_id, s.valid_from, s.valid_to,
        s.retracted, s.revision, s.written_at, s.night, true
    from evidence.sent_statements s
    anti join identity.key_ring.links l
        on l.relation = s.relation and l.statement_id = s.statement_id
)
select *, min(written_at) over (partition by relation, link_id) as first_at from every;

-- For which nights each was the newest of its link; with what the mesh has not (`is_with`), where
-- there is such a thing.
create table evidence.known as
select w.is_with, s.*,
    lead(s.night) over (
        partition by w.is_with, s.relation, s.link_id order by s.revision
    ) as replaced
from evidence.statements s
join (
    select false as is_with
    union all
    select true where exists (select 1 from evidence.statements where is_missing)
) w on w.is_with or not s.is_missing;

-- For which nights a statement contradicted a link that had been stated before its own.
create table evidence.disputed as
select s.is_with, s.relation, s.statement_id, greatest(s.night, h.night) as night,
    least(s.replaced, h.replaced) as replaced
from evidence.known s
join evidence.known h
    on h.is_with = s.is_with and h.relation = s.relation and h.from_id = s.from_id
    and h.to_id <> s.to_id and h.first_at < s.first_at
where not h.retracted and not s.retracted
    and coalesce(h.valid_from, '-infinity') < coalesce(s.valid_to, 'infinity')
    and coalesce(s.valid_from, '-infinity') < coalesce(h.valid_to, 'infinity');

-- Which contract a number was mapped to, from which run on, until all was mapped again: the first
-- run that knew a link of it decides, and of its links the one that began last. `as_known` is by
-- what was known then; else by what is known now.
create table evidence.mapped as
with known as (
    select true as as_known, is_with, link_id, from_id, to_id, valid_from, night, replaced
    from evidence.known
    where relation = 'phone-number-contract' and not retracted
    union all
    select false, is_with, link_id, from_id, to_id, valid_from,
        coalesce(cast(valid_from - interval 2 hour as date), date '0001-01-01'), null
    from evidence.known
    where relation = 'phone-number-contract' and not retracted and replaced is null
),
alive as (
    select r.as_run, k.as_known, k.is_with, r.mapped_seq, r.seq, k.from_id, k.to_id,
        k.valid_from, k.link_id
    from evidence.runs r
    join known k
        on k.night <= r.known_by and (k.replaced is null or k.replaced > r.known_by)
),
first_runs as (
    select as_run, as_known, is_with, mapped_seq, from_id, min(seq) as seq
    from alive
    group by all
)
select f.as_run, f.as_known, f.is_with, f.from_id as phone_number,
    arg_max(a.to_id, (coalesce(a.valid_from, '-infinity'), a.link_id)) as contract_number,
    f.seq as from_seq,
    coalesce((
        select min(n.mapped_seq) from evidence.runs n
        where n.as_run = f.as_run and n.mapped_seq > f.mapped_seq
    ), 1000000) as to_seq
from first_runs f
join alive a using (as_run, as_known, is_with, mapped_seq, seq, from_id)
group by all;

-- The revisions of contracts, by the nights in which each was the newest.
create table evidence.contract_revisions as
select contract_number, opened_at, closed_at, night,
    lead(night) over (partition by contract_number order by revision) as replaced
from sent.contract_changes;

-- What was sent and is not in the mesh, by its key.
create view evidence.missing as
select call_id as key from sent.finished_calls
anti join customer_service.call_center.calls using (call_id)
union all
select invoice_id from sent.sent_invoices anti join finance.billing.invoices using (invoice_id)
union all
select payment_id from sent.received_payments
anti join finance.billing.payments using (payment_id)
union all
select contract_number from sent.contract_changes
anti join sales.contracts.contracts using (contract_number)
union all
select statement_id from evidence.statements where is_missing;
