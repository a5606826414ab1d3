delete from report.handling_time where day = getvariable('night');
insert into report.handling_time
select call_day as day, queue, count(*) as calls, cast(round(avg(duration_s)) as bigint) as mean_s
from integration.calls
where call_day = getvariable('night') and not is_abandoned
group by call_day, queue;
