-- The append-only log: leaves, the tree above them, checkpoints, and a door for each side.
set local role procura_owner;
create schema ledger;
grant usage on schema ledger
  to procura_front, procura_pdp, procura_cdp, procura_reaper, procura_ledger, procura_signer,
     procura_verify;

-- A leaf that is not the hash of its entry cannot be in it.
create table ledger.leaf (
  tenant     text   not null,
  index      bigint not null check (index >= 0),
  event_id   text   not null,
  event_type text   not null,
  entry      text   not null check (octet_length(entry) <= 32768),
  hash       bytea  not null check (hash = sha256('\x00' || convert_to(entry, 'UTF8'))),
  primary key (tenant, index),
  unique (tenant, event_id)
);
create index leaf_by_type on ledger.leaf (tenant, event_type, index);

-- Complete subtrees above the leaves, as far as checkpoints reach.
create table ledger.node (
  tenant text   not null,
  level  int    not null check (level between 1 and 62),
  index  bigint not null check (index >= 0),
  hash   bytea  not null check (octet_length(hash) = 32),
  primary key (tenant, level, index)
);

create table ledger.checkpoint (
  tenant    text        not null,
  size      bigint      not null check (size > 0),
  root      bytea       not null check (octet_length(root) = 32),
  note      text        not null,
  signed_at timestamptz not null default clock_timestamp(),
  primary key (tenant, size)
);

-- The grants forbid it already; this refuses the owner and whoever was granted too much.
create function ledger.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'ledger: % of %.% is refused', tg_op, tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege';
end $$;
create trigger leaf_only_grows before update or delete or truncate on ledger.leaf
  for each statement execute function ledger.refuse_change();
create trigger node_only_grows before update or delete or truncate on ledger.node
  for each statement execute function ledger.refuse_change();
create trigger checkpoint_only_grows before update or delete or truncate on ledger.checkpoint
  for each statement execute function ledger.refuse_change();

grant select, insert on ledger.leaf to procura_ledger;
grant select on ledger.leaf, ledger.node, ledger.checkpoint
  to procura_front, procura_signer, procura_verify;
grant insert on ledger.node, ledger.checkpoint to procura_signer;

grant create on schema ledger to procura_ledger;
set local role procura_ledger;

-- Appends a batch at `first`, the next index; refuses another index and the other sides' events.
create function ledger.append(log text, first bigint, entries text[], allowed text[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  appended bigint;
begin
  perform pg_advisory_xact_lock(6962, hashtext(log));
  if first <> (select coalesce(max(index) + 1, 0) from ledger.leaf where tenant = log) then
    raise exception 'ledger: % is not the next index', first;
  end if;
  insert into ledger.leaf (tenant, index, event_id, event_type, entry, hash)
  select log, first + n - 1, read ->> 'event_id', read ->> 'event_type', entry,
         sha256('\x00' || convert_to(entry, 'UTF8'))
  from unnest(entries) with ordinality as fresh (entry, n), lateral (select entry::jsonb) as as_json (read)
  where read ->> 'event_type' = any (allowed) and (read ->> 'seq')::bigint = first + n - 1;
  get diagnostics appended = row_count;
  if appended <> cardinality(entries) then
    raise exception 'ledger: not an event of this side, or out of its place';
  end if;
end $$;

-- Waits for the turn to append, and tells what to append at, and when it is. The turn ends with the
-- transaction: whoever holds it sees everything that was recorded before, and nothing gets between.
create function ledger.turn(log text)
returns table (next bigint, now timestamptz, last_recorded_at text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock(6962, hashtext(log));
  return query
    select coalesce(max(leaf.index) + 1, 0), clock_timestamp(),
           (select newest.entry::jsonb ->> 'recorded_at' from ledger.leaf newest
            where newest.tenant = log order by newest.index desc limit 1)
    from ledger.leaf leaf where leaf.tenant = log;
end $$;

create function ledger.append_registered(log text, first bigint, entries text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select ledger.append(log, first, entries, array[
    'log_opened', 'agent_registered', 'agent_retired', 'consent_granted', 'session_issued',
    'approval_decided', 'revocation', 'refusals', 'admin_change', 'outage'])
$$;
create function ledger.append_decided(log text, first bigint, entries text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select ledger.append(log, first, entries, array['decision', 'explained', 'approval_requested'])
$$;
create function ledger.append_issued(log text, first bigint, entries text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select ledger.append(log, first, entries, array[
    'issuance', 'issuance_failed', 'usage', 'credential_ended', 'remediation'])
$$;
revoke execute on all functions in schema ledger from public;
grant execute on function ledger.turn to procura_front, procura_pdp, procura_cdp, procura_reaper;
grant execute on function ledger.append_registered to procura_front;
grant execute on function ledger.append_decided to procura_pdp;
grant execute on function ledger.append_issued to procura_cdp, procura_reaper;

set local role procura_owner;
revoke create on schema ledger from procura_ledger;
revoke execute on function ledger.refuse_change from public;
