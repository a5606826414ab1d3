delete from staging.payer_changes where loaded_on = getvariable('night');
insert into staging.payer_changes
select
    link_id, revision, billing_account_number, payer_id, valid_from, valid_to, retracted,
    getvariable('night') as loaded_on
from landing.payer_changes;

delete from staging.invoices where loaded_on = getvariable('night');
insert into staging.invoices
select
    invoice_id, billing_account_number, contract_number, issued_at, due_at, amount,
    getvariable('night') as loaded_on
from landing.sent_invoices;

delete from staging.payments where loaded_on = getvariable('night');
insert into staging.payments
select payment_id, invoice_id, paid_at, amount, getvariable('night') as loaded_on
from landing.received_payments;
