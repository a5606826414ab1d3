-- One row per payment, as the money came.
select
    _cause,
    payment_id,
    invoice_id,
    billing_account_number,
    paid_at,
    amount,
    currency
from new_received_payments
