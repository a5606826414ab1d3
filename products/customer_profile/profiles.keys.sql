-- From what a batch changed towards whoever it says something of.
with
roles as (
    select to_id, replace(relation, 'contract-', '') as role, from_id from links
    where relation in (
        'contract-holder', 'contract-user', 'contract-administrator',
        'contract-resident', 'contract-household'
    )
),

payers as (
    select to_id, from_id from links where relation = 'billing-account-payer'
),

-- Contracts that run or do not, or that have another number.
contracts_touched as (
    select contract_number from changed_contracts
    union
    select to_id from changed_links where relation = 'phone-number-contract'
),

-- Whose users called.
contracts_calling as (
    select n.to_id
    from links n
    join changed_calls k on k.phone_number = n.from_id
    where n.relation = 'phone-number-contract'
),

accounts_touched as (
    select billing_account_number from changed_invoices
    union
    select i.billing_account_number
    from changed_payments p
    join invoices i on i.invoice_id = p.invoice_id
    union
    select to_id from changed_links where relation = 'contract-billing-account'
    union
    select to_id from links
    where relation = 'contract-billing-account'
        and from_id in (select contract_number from contracts_touched)
)

select to_id, replace(relation, 'contract-', '') from changed_links
where relation in (
    'contract-holder', 'contract-user', 'contract-administrator',
    'contract-resident', 'contract-household'
)
union
select to_id, 'payer' from changed_links where relation = 'billing-account-payer'
union
select to_id, role from roles
where from_id in (select contract_number from contracts_touched)
union
select to_id, role from roles
where role = 'user' and from_id in (select to_id from contracts_calling)
union
select to_id, 'payer' from payers
where from_id in (select billing_account_number from accounts_touched)
