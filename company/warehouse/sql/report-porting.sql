delete from report.porting where day = getvariable('night');
insert into report.porting
select getvariable('night') as day, what, count(*) as numbers
from (
    select
        case when exists (
            select 1 from integration.number_links o
            where o.phone_number = n.phone_number and o.valid_to = n.valid_from
        ) then 'moved' else 'came' end as what
    from integration.number_links n
    where cast(n.valid_from as date) = getvariable('night')
    union all
    select 'left' as what
    from integration.number_links n
    where cast(n.valid_to as date) = getvariable('night')
        and not exists (
            select 1 from integration.number_links o
            where o.phone_number = n.phone_number and o.valid_from = n.valid_to
        )
) changes
group by what;
