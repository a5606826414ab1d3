-- rows of: links
-- Of the links, those of the touched subjects, and what leads to their contracts. The other
-- inputs are joined with these few, so they are read once and nothing of them is grouped.
with
mine as (
    select * from links
    where relation in (
            'contract-holder', 'contract-user', 'contract-administrator',
            'contract-resident', 'contract-household', 'billing-account-payer'
        )
        and to_id in (select subject_id from _touched)
),

accounts as (
    select * from links
    where relation = 'contract-billing-account' and to_id in (select from_id from mine)
),

numbers as (
    select * from links
    where relation = 'phone-number-contract'
        and to_id in (select from_id from mine union select from_id from accounts)
)

select * from mine
union all
select * from accounts
union all
select * from numbers
