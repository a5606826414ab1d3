-- A number that was not seen before is a new line.
insert into integration.phone_lines
select distinct phone_number, 'L' || substr(phone_number, 2) as line_id
from integration.number_links n
where not exists (
    select 1 from integration.phone_lines l where l.phone_number = n.phone_number
);
