-- One row per moment: what was known of a contract then. A recipe takes some of these columns.
-- `handed_over` does not ask when: it is the planted leak, which the check of features must find.
with

bills as (
    select
        m.moment,
        p.paid_at is null or p.paid_at > i.due_at as is_late,
        p.paid_at is null as is_open,
        i.amount
    from moments m
    join invoices i
        on i.contract_number = m.contract_number
        and i.issued_at > m.at - interval 200 days
        and i.due_at <= m.at
    left join payments p on p.invoice_id = i.invoice_id and p.paid_at <= m.at
),

behaviour as (
    select
        moment,
        count(*) filter (where is_late) as late_bills,
        count(*) filter (where is_open) as open_bills,
        count(*) as bills,
        sum(amount)::double / count(*) as mean_amount
    from bills
    group by moment
),

instalments_before as (
    select
        m.moment,
        count(*) as instalments,
        count(*) filter (where s.outcome = 'unpaid') as unpaid_instalments
    from moments m
    join instalments s on s.contract_number = m.contract_number and s.decided_at <= m.at
    group by m.moment
)

select
    m.moment,
    coalesce(b.late_bills, 0)::double as late_bills,
    coalesce(b.open_bills, 0)::double as open_bills,
    coalesce(b.bills, 0)::double as bills,
    coalesce(b.mean_amount, 0) as mean_amount,
    coalesce(n.instalments, 0)::double as instalments,
    coalesce(n.unpaid_instalments, 0)::double as unpaid_instalments,
    (m.district = 'university')::double as at_the_university,
    (m.moment in (select instalment_id from handovers))::double as handed_over
from moments m
left join behaviour b using (moment)
left join instalments_before n using (moment)
order by m.moment
