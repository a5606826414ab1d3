/*
name: time-zone
place: 7
whose: warehouse
about: >-
  Telephony's clock is taken for winter time of the head office, an hour ahead.
*/
create view calls as
select * replace (cast(started_at + interval 1 hour as date) as day) from calls;
