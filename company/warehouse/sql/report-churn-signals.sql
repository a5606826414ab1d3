delete from report.churn_signals where day = getvariable('night');
insert into report.churn_signals
select
    getvariable('night') as day,
    c.contract_number,
    coalesce(k.calls, 0) as cancellation_calls,
    coalesce(i.invoices, 0) as overdue_invoices,
    coalesce(n.numbers, 0) as lost_numbers
from integration.contracts c
left join (
    select contract_number, count(*) as calls
    from integration.call_contracts
    where queue = 'cancellation'
        and call_day between getvariable('night') - 29 and getvariable('night')
    group by contract_number
) k on k.contract_number = c.contract_number
left join (
    select contract_number, count(*) as invoices
    from integration.invoice_balances
    where amount > paid and cast(due_at as date) < getvariable('night')
    group by contract_number
) i on i.contract_number = c.contract_number
left join (
    select contract_number, count(*) as numbers
    from integration.number_links
    where cast(valid_to as date) between getvariable('night') - 29 and getvariable('night')
    group by contract_number
) n on n.contract_number = c.contract_number
where c.closed_at is null and (k.calls > 0 or i.invoices > 0 or n.numbers > 0);
