-- All of it takes long, so on Sundays only; on other nights what has no subscription yet.
delete from integration.line_subscriptions where dayofweek(getvariable('night')) = 0;
insert into integration.line_subscriptions
select l.line_id, n.link_id as subscription_id, n.contract_number
from integration.phone_lines l
join integration.number_links n on n.phone_number = l.phone_number
where not exists (
    select 1 from integration.line_subscriptions s where s.line_id = l.line_id
)
qualify row_number() over (
    partition by l.line_id order by n.valid_from desc nulls last, n.link_id desc
) = 1;
