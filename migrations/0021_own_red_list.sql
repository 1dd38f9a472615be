-- What was put off, and is one sponsor's, is found by an index, whatever others have on the red list; and what
-- nobody has come to yet is told from what was put off without a look at its row.
set local role procura_owner;

create index lease_unconfirmed_own on procura.lease (tenant, sponsor, id collate "C")
  where state = 'revoke_pending';
drop index procura.lease_due;
create index lease_due on procura.lease (tenant, target, due_at, state) where due_at is not null;
