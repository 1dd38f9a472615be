-- The red list is found by an index of its own, however many leases are alive.
set local role procura_owner;

create index lease_unconfirmed on procura.lease (tenant, id collate "C") where state = 'revoke_pending';
