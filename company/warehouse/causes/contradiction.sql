/*
name: contradiction
place: 3
whose: sources
about: >-
  Of links that contradict each other the warehouse counts all, the mesh the one that was stated first.
*/
create view identity.key_ring.links as
select * replace (not retracted as holds) from identity.key_ring.links where known_to is null;
