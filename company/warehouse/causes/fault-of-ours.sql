/*
name: fault-of-ours
place: 1
whose: mesh
about: >-
  What was sent and has not arrived in the mesh's ports: it is in quarantine, on its way, or lost.
evidence: >-
  select exists (select 1 from evidence.missing)
*/
create view customer_service.call_center.calls as
select call_id, phone_number, queue, agent_id, reason, started_at, duration_s
from customer_service.call_center.calls
union all
select s.call_id, s.phone_number, s.queue, s.agent_id, s.reason, s.started_at,
    date_sub('second', s.started_at, s.ended_at) as duration_s
from sent.finished_calls s
anti join customer_service.call_center.calls c on c.call_id = s.call_id;

create view identity.key_ring.links as
select relation, from_id, to_id, valid_from, valid_to, retracted,
    cast(null as timestamptz) as known_to,
    not retracted and statement_id not in (
        select d.statement_id from evidence.disputed d where d.is_with and d.replaced is null
    ) as holds
from evidence.known
where is_with and replaced is null;

create view sales.contracts.contracts as
select contract_number, opened_at, closed_at from sales.contracts.contracts
union all
select s.contract_number, s.opened_at, s.closed_at
from evidence.contract_revisions s
anti join sales.contracts.contracts c on c.contract_number = s.contract_number
where s.replaced is null;

create view finance.billing.invoices as
select invoice_id, billing_account_number, contract_number, issued_at, due_at, amount
from finance.billing.invoices
union all
select s.invoice_id, s.billing_account_number, s.contract_number, s.issued_at, s.due_at, s.amount
from sent.sent_invoices s
anti join finance.billing.invoices i on i.invoice_id = s.invoice_id;

create view finance.billing.payments as
select payment_id, invoice_id, paid_at, amount from finance.billing.payments
union all
select s.payment_id, s.invoice_id, s.paid_at, s.amount
from sent.received_payments s
anti join finance.billing.payments p on p.payment_id = s.payment_id;
