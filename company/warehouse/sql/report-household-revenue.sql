delete from report.household_revenue where day = getvariable('night');
insert into report.household_revenue
select getvariable('night') as day, h.household_id, sum(b.amount) as revenue
from integration.invoice_balances b
join integration.contract_households h
    on h.contract_number = b.contract_number
    and h.valid_from <= b.issued_at
    and (h.valid_to is null or b.issued_at < h.valid_to)
where cast(b.issued_at as date) = getvariable('night')
group by h.household_id;
