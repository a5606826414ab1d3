-- Every contract that any statement of a changed link names: a correction may name another.
with

changed_statements as (
    select link_id, contract_number from changed_role_changes
    union all
    select link_id, contract_number from changed_household_changes
    union all
    select s.link_id, s.contract_number
    from (select unnest(statements) as s from changed_commands)
),

statements as (
    select link_id, contract_number from role_changes
    union all
    select link_id, contract_number from household_changes
    union all
    select s.link_id, s.contract_number
    from (select unnest(statements) as s from commands)
)

select contract_number from changed_contract_changes
union all
select contract_number from changed_commands
union all
select contract_number from changed_statements
union all
select contract_number from statements semi join changed_statements using (link_id)
