-- What was stopped, is tried again or was left by a crash: ended before what merely ran out, however much
-- of that there is.
set local role procura_owner;

create index lease_due_urgent on procura.lease (tenant, target, due_at)
  where due_at is not null and (next_try_at is not null or state = 'minting');
