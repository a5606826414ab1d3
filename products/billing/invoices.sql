-- One row per invoice, as it was sent.
select
    _cause,
    invoice_id,
    billing_account_number,
    contract_number,
    issued_at,
    due_at,
    amount,
    currency
from new_sent_invoices
