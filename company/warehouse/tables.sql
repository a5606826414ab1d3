-- The tables of the warehouse. Made before the first night; the jobs only fill them.
create schema if not exists landing;
create schema if not exists staging;
create schema if not exists integration;
create schema if not exists report;

-- What a night brings, in place of what the last one did.
create table if not exists landing.finished_calls (
    call_id text, phone_number text, queue text, agent_id text, reason text,
    started_at timestamptz, ended_at timestamptz
);
create table if not exists landing.contract_changes (
    contract_number text, revision bigint, kind text, opened_at timestamptz, closed_at timestamptz
);
create table if not exists landing.number_changes (
    link_id text, revision bigint, phone_number text, contract_number text,
    valid_from timestamptz, valid_to timestamptz, retracted boolean
);
create table if not exists landing.household_changes (
    link_id text, revision bigint, contract_number text, household_id text,
    valid_from timestamptz, valid_to timestamptz, retracted boolean
);
create table if not exists landing.payer_changes (
    link_id text, revision bigint, billing_account_number text, payer_id text,
    valid_from timestamptz, valid_to timestamptz, retracted boolean
);
create table if not exists landing.sent_invoices (
    invoice_id text, billing_account_number text, contract_number text,
    issued_at timestamptz, due_at timestamptz, amount decimal(12, 2)
);
create table if not exists landing.received_payments (
    payment_id text, invoice_id text, paid_at timestamptz, amount decimal(12, 2)
);

create table if not exists staging.calls (
    call_id text, phone_number text, queue text, agent_id text, reason text,
    started_at timestamptz, ended_at timestamptz, loaded_on date
);
create table if not exists staging.contract_changes (
    contract_number text, revision bigint, kind text,
    opened_at timestamptz, closed_at timestamptz, loaded_on date
);
create table if not exists staging.number_changes (
    link_id text, revision bigint, phone_number text, contract_number text,
    valid_from timestamptz, valid_to timestamptz, retracted boolean, loaded_on date
);
create table if not exists staging.household_changes (
    link_id text, revision bigint, contract_number text, household_id text,
    valid_from timestamptz, valid_to timestamptz, retracted boolean, loaded_on date
);
create table if not exists staging.payer_changes (
    link_id text, revision bigint, billing_account_number text, payer_id text,
    valid_from timestamptz, valid_to timestamptz, retracted boolean, loaded_on date
);
create table if not exists staging.invoices (
    invoice_id text, billing_account_number text, contract_number text,
    issued_at timestamptz, due_at timestamptz, amount decimal(12, 2), loaded_on date
);
create table if not exists staging.payments (
    payment_id text, invoice_id text, paid_at timestamptz, amount decimal(12, 2), loaded_on date
);

create table if not exists integration.calls (
    call_id text, phone_number text, queue text, reason text,
    call_day date, duration_s bigint, is_abandoned boolean, loaded_on date
);
create table if not exists integration.contracts (
    contract_number text, kind text, opened_at timestamptz, closed_at timestamptz
);
create table if not exists integration.number_links (
    link_id text, phone_number text, contract_number text,
    valid_from timestamptz, valid_to timestamptz
);
create table if not exists integration.contract_households (
    contract_number text, household_id text, valid_from timestamptz, valid_to timestamptz
);
create table if not exists integration.account_payers (
    billing_account_number text, payer_id text, valid_from timestamptz, valid_to timestamptz
);
create table if not exists integration.invoice_balances (
    invoice_id text, billing_account_number text, contract_number text,
    issued_at timestamptz, due_at timestamptz, amount decimal(12, 2), paid decimal(12, 2)
);
create table if not exists integration.phone_lines (phone_number text, line_id text);
create table if not exists integration.line_subscriptions (
    line_id text, subscription_id text, contract_number text
);
create table if not exists integration.call_contracts (
    call_id text, contract_number text, queue text, reason text, call_day date, loaded_on date
);

create table if not exists report.calls_per_contract (
    day date, contract_number text, reason text, calls bigint
);
create table if not exists report.handling_time (
    day date, queue text, calls bigint, mean_s bigint
);
create table if not exists report.outstanding_balance (
    day date, payer_id text, outstanding decimal(14, 2)
);
create table if not exists report.porting (day date, what text, numbers bigint);
create table if not exists report.household_revenue (
    day date, household_id text, revenue decimal(14, 2)
);
create table if not exists report.churn_signals (
    day date, contract_number text, cancellation_calls bigint, overdue_invoices bigint,
    lost_numbers bigint
);
