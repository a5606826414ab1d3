/*
name: after-midnight
place: 6
whose: warehouse
about: >-
  What is written until two in the morning counts for the day before.
*/
create view moments as
select day, moment + interval 2 hour as moment from moments;
