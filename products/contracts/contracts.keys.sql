-- Every contract that any statement of a changed link names: a correction may name another.
select contract_number from changed_contract_changes
union all
select contract_number from changed_role_changes
union all
select r.contract_number from changed_role_changes c join role_changes r using (link_id)
union all
select contract_number from changed_household_changes
union all
select h.contract_number from changed_household_changes c join household_changes h using (link_id)
