/*
name: rounding
place: 9
whose: warehouse
about: >-
  A mean is rounded to the nearest second; the mesh counts full ones.
*/
create view means as
select day, queue, calls, cast(round(total_s / calls) as bigint) as mean_s from measured;
