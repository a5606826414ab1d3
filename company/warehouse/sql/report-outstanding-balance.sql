delete from report.outstanding_balance where day = getvariable('night');
insert into report.outstanding_balance
select getvariable('night') as day, p.payer_id, sum(b.amount - b.paid) as outstanding
from integration.invoice_balances b
join integration.account_payers p on p.billing_account_number = b.billing_account_number
where b.amount > b.paid and p.valid_to is null
group by p.payer_id;
