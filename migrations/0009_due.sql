-- When a lease has to be looked at, as a column: the sweeper finds what is due by an index, however many
-- are alive and not due.
set local role procura_owner;

alter table procura.lease add column due_at timestamptz; -- null once it is over
create index lease_due on procura.lease (tenant, target, due_at) where due_at is not null;
-- What a stop reaches; of a consent, which is for so many uses, `lease_by_consent` finds them.
create index lease_live_by_agent on procura.lease (tenant, agent) where due_at is not null;
create index lease_live_by_instance on procura.lease (tenant, instance) where due_at is not null;
create index lease_live_by_sponsor on procura.lease (tenant, sponsor) where due_at is not null;
drop index procura.lease_alive;

-- Whoever was making it is taken for dead after 30 seconds; a stop brings the end of an active one
-- forward to its `next_try_at`.
create function procura.lease_is_due() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.due_at := case new.state
    when 'minting' then new.updated_at + interval '30 s'
    when 'active' then least(new.expires_at, new.next_try_at)
    when 'revoke_pending' then coalesce(new.next_try_at, '-infinity')
  end;
  return new;
end $$;
revoke execute on function procura.lease_is_due from public;
create trigger lease_is_due before insert or update on procura.lease
  for each row execute function procura.lease_is_due();
update procura.lease set attempts = attempts where ended_at is null;

-- Up to which stop leases have been told.
create table procura.told (
  tenant text   primary key,
  epoch  bigint not null
);
grant select, insert, update (epoch) on procura.told to procura_reaper;
create index stop_by_epoch on procura.stop (tenant, epoch);

-- Brings forward the end of every active lease under what was stopped since the last time. A lease that
-- becomes active later is compared with the stops as it does; the two take turns, so none is missed.
create function procura.tell_leases(log text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  since bigint;
  newest bigint;
begin
  insert into procura.told (tenant, epoch) values (log, 0) on conflict do nothing;
  select epoch into since from procura.told where tenant = log for update;
  select max(epoch) into newest from procura.stop where tenant = log and epoch > since;
  if newest is null then
    return;
  end if;
  update procura.lease l set next_try_at = clock_timestamp()
  from (
    select l.tenant, l.id from procura.stop s join procura.lease l
      on l.tenant = s.tenant and l.consent = s.id and l.due_at is not null
      where s.tenant = log and s.epoch > since and s.kind = 'consent' and s.epoch > l.revocation_epoch
    union select l.tenant, l.id from procura.stop s join procura.lease l
      on l.tenant = s.tenant and l.agent = s.id and l.due_at is not null
      where s.tenant = log and s.epoch > since and s.kind = 'agent' and s.epoch > l.revocation_epoch
    union select l.tenant, l.id from procura.stop s join procura.lease l
      on l.tenant = s.tenant and l.instance = s.id and l.due_at is not null
      where s.tenant = log and s.epoch > since and s.kind = 'instance' and s.epoch > l.revocation_epoch
    union select l.tenant, l.id from procura.stop s join procura.lease l
      on l.tenant = s.tenant and l.sponsor = s.id and l.due_at is not null
      where s.tenant = log and s.epoch > since and s.kind = 'sponsor' and s.epoch > l.revocation_epoch
    union select l.tenant, l.id from procura.stop s join procura.lease l
      on l.tenant = s.tenant and l.id = s.id and l.due_at is not null
      where s.tenant = log and s.epoch > since and s.kind = 'credential' and s.epoch > l.revocation_epoch
  ) stopped
  where l.tenant = stopped.tenant and l.id = stopped.id and l.state = 'active';
  update procura.told set epoch = newest where tenant = log;
end $$;
revoke execute on function procura.tell_leases from public;
grant execute on function procura.tell_leases to procura_reaper;
