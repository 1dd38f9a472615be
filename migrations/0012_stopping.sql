-- Stopping: a hop, a run, a root, a session, everybody of a sponsor; and a freeze, which can be lifted.
set local role procura_owner;

-- One act may stop several things: a sponsor and every agent of theirs; a run and the key that it holds,
-- which may stand in chains where the run never showed itself. No two kinds share an id: what rests on
-- many things is held against all of them by their ids alone.
alter table procura.stop drop constraint stop_kind_check, add constraint stop_kind_check check (kind in (
  'sponsor', 'agent', 'instance', 'key', 'consent', 'root', 'delegation', 'session', 'credential'));
create index stop_by_id on procura.stop (tenant, id);

-- Whose it was, and which leases were alive under it: those whose ends its targets are to confirm.
alter table procura.revocation add column sponsor text;
update procura.revocation r set sponsor = coalesce(
  (select c.sponsor from procura.consent c where c.tenant = r.tenant and c.id = r.target_id),
  (select a.sponsor from procura.agent a where a.tenant = r.tenant and a.id = r.target_id));
create table procura.reached (
  tenant     text not null,
  revocation text not null,
  lease      text not null,
  primary key (tenant, revocation, lease),
  foreign key (tenant, revocation) references procura.revocation (tenant, id)
);
grant select, insert on procura.reached to procura_front;
insert into procura.reached (tenant, revocation, lease)
  select r.tenant, r.id, l.id from procura.revocation r join procura.lease l
    on l.tenant = r.tenant and r.target_id in (l.consent, l.agent)
      and l.issued_at <= r.at and (l.ended_at is null or l.ended_at >= r.at);

-- Sessions that may still be used, for counting: whether one is accepted rests on its signature.
create table procura.session (
  tenant     text        not null,
  jti        text        not null,
  consent    text        not null,
  agent      text        not null,
  instance   text        not null,
  delegation text, -- null where the agent acts straight under its consent
  expires_at timestamptz not null check (isfinite(expires_at)),
  primary key (tenant, jti)
);
-- Each by what it rests on itself: what rests on a hop goes with the hop.
create index session_by_consent on procura.session (tenant, consent) where delegation is null;
create index session_by_agent on procura.session (tenant, agent) where delegation is null;
create index session_by_instance on procura.session (tenant, instance) where delegation is null;
create index session_by_delegation on procura.session (tenant, delegation) where delegation is not null;
create index session_by_expiry on procura.session (expires_at);
grant select, insert, delete on procura.session to procura_front;

-- What is held back until somebody lifts it. `scope` is a tool, an agent or a sponsor; empty: everything.
create table procura.freeze (
  tenant        text        not null,
  id            text        not null,
  kind          text        not null check (kind in ('everything', 'tool', 'agent', 'sponsor')),
  scope         text        not null check ((scope = '') = (kind = 'everything')),
  owner         text, -- the sponsor whose it is; null for a tool and for everything
  cause         text        not null,
  since         timestamptz not null,
  event_id      text        not null,
  lifted_at     timestamptz,
  lift_event_id text,
  primary key (tenant, id),
  check ((lifted_at is null) = (lift_event_id is null))
);
create unique index freeze_in_force on procura.freeze (tenant, scope) where lifted_at is null;
grant select, insert, update (lifted_at, lift_event_id) on procura.freeze to procura_front;
grant select on procura.freeze to procura_pdp, procura_cdp, procura_reaper;

-- Whose the agents of a chain are: a frozen sponsor's agents are frozen wherever they act.
grant select (tenant, id, sponsor) on procura.agent to procura_cdp;

-- Through which hop it was asked, so that what waits for a person ends with it.
alter table procura.decision add column delegation text;

create view procura.v_freeze as
  select tenant, id, kind, scope, cause, since, lifted_at, event_id, lift_event_id from procura.freeze;
create view procura.v_stop as
  select tenant, kind, id, epoch, revocation, at from procura.stop;
grant select on procura.v_freeze, procura.v_stop to procura_verify;

-- As before; and the leases of a hop below what was stopped, however far below.
create or replace function procura.tell_leases(log text) returns void
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
    )
    select l.tenant, l.id from stopped s join procura.lease l
      on l.tenant = log and l.consent = s.id and l.due_at is not null
      where s.kind = 'consent' and s.epoch > l.revocation_epoch
    union select l.tenant, l.id from stopped s join procura.lease l
      on l.tenant = log and l.agent = s.id and l.due_at is not null
      where s.kind = 'agent' and s.epoch > l.revocation_epoch
    union select l.tenant, l.id from stopped s join procura.lease l
      on l.tenant = log and l.instance = s.id and l.due_at is not null
      where s.kind = 'instance' and s.epoch > l.revocation_epoch
    union select l.tenant, l.id from stopped s join procura.lease l
      on l.tenant = log and l.sponsor = s.id and l.due_at is not null
      where s.kind = 'sponsor' and s.epoch > l.revocation_epoch
    union select l.tenant, l.id from stopped s join procura.lease l
      on l.tenant = log and l.id = s.id and l.due_at is not null
      where s.kind = 'credential' and s.epoch > l.revocation_epoch
    union select l.tenant, l.id from hop s join procura.lease l
      on l.tenant = log and l.delegation = s.id and l.due_at is not null
      where s.epoch > l.revocation_epoch
  ) stopped
  where l.tenant = stopped.tenant and l.id = stopped.id and l.state = 'active';
  update procura.told set epoch = newest where tenant = log;
end $$;
