delete from integration.invoice_balances;
insert into integration.invoice_balances
select
    i.invoice_id,
    i.billing_account_number,
    i.contract_number,
    i.issued_at,
    i.due_at,
    i.amount,
    coalesce(p.paid, 0) as paid
from staging.invoices i
left join (
    select invoice_id, sum(amount) as paid from staging.payments group by invoice_id
) p on p.invoice_id = i.invoice_id;
