-- A stop of much is told to its leases some thousands at a time: all at once took longer than a statement
-- has, so that it was told to none, and nothing was swept any more. `tell_leases` stays for brokers that
-- are older than this and still run.
set local role procura_owner;

-- Brings forward the end of active leases under what was stopped since the last time, some thousands of
-- them; whether those were all. A lease that becomes active later is compared with the stops as it does;
-- the two take turns, so none is missed.
create function procura.tell_some_leases(log text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  most constant int := 5000;
  since bigint;
  newest bigint;
  found_now int;
begin
  insert into procura.told (tenant, epoch) values (log, 0) on conflict do nothing;
  select epoch into since from procura.told where tenant = log for update;
  select max(epoch) into newest from procura.stop where tenant = log and epoch > since;
  if newest is null then
    return true;
  end if;
  with stopped as materialized (
    select kind, id, epoch from procura.stop where tenant = log and epoch > since
  ), hop as (
    select d.id, s.epoch from stopped s join procura.delegation d
      on d.tenant = log and s.kind = 'delegation' and d.path @> array[s.id]
    union all select d.id, s.epoch from stopped s join procura.delegation d
      on d.tenant = log and s.kind = 'root' and d.root = s.id
    union all select d.id, s.epoch from stopped s join procura.delegation d
      on d.tenant = log and s.kind = 'agent' and d.agents @> array[s.id]
    union all select d.id, s.epoch from stopped s join procura.delegation d
      on d.tenant = log and s.kind = 'key' and d.keys @> array[s.id]
  ), under as materialized (
    select l.id from stopped s join procura.lease l
      on l.tenant = log and l.consent = s.id and l.due_at is not null
      where s.kind = 'consent' and s.epoch > l.revocation_epoch
        and l.state = 'active' and l.next_try_at is null
    union all select l.id from stopped s join procura.lease l
      on l.tenant = log and l.agent = s.id and l.due_at is not null
      where s.kind = 'agent' and s.epoch > l.revocation_epoch
        and l.state = 'active' and l.next_try_at is null
    union all select l.id from stopped s join procura.lease l
      on l.tenant = log and l.instance = s.id and l.due_at is not null
      where s.kind = 'instance' and s.epoch > l.revocation_epoch
        and l.state = 'active' and l.next_try_at is null
    union all select l.id from stopped s join procura.lease l
      on l.tenant = log and l.sponsor = s.id and l.due_at is not null
      where s.kind = 'sponsor' and s.epoch > l.revocation_epoch
        and l.state = 'active' and l.next_try_at is null
    union all select l.id from stopped s join procura.lease l
      on l.tenant = log and l.id = s.id and l.due_at is not null
      where s.kind = 'credential' and s.epoch > l.revocation_epoch
        and l.state = 'active' and l.next_try_at is null
    union all select l.id from hop s join procura.lease l
      on l.tenant = log and l.delegation = s.id and l.due_at is not null
      where s.epoch > l.revocation_epoch
        and l.state = 'active' and l.next_try_at is null
    limit most
  ), told as (
    update procura.lease l set next_try_at = clock_timestamp()
    where l.tenant = log and l.id in (select id from under) and l.state = 'active'
  )
  select count(*) into found_now from under;
  if found_now = most then
    return false;
  end if;
  update procura.told set epoch = newest where tenant = log;
  return true;
end $$;
revoke execute on function procura.tell_some_leases from public;
grant execute on function procura.tell_some_leases to procura_reaper;
