-- Decoys: credentials that are worth nothing, and that nobody has a reason to show to anybody.
set local role procura_owner;

create table procura.canary (
  tenant        text        not null,
  id            text        not null, -- of no lease
  token_hash    text        not null, -- whoever reads this table has no token by it
  holder_kind   text        not null check (holder_kind in ('agent', 'sponsor')),
  holder        text        not null,
  label         text        not null,
  planted_at    timestamptz not null default clock_timestamp(),
  expires_at    timestamptz not null check (isfinite(expires_at)),
  seen_at       timestamptz,
  tripped_event text,
  primary key (tenant, id),
  unique (tenant, token_hash),
  check (tripped_event is null or seen_at is not null)
);
create index canary_seen on procura.canary (tenant, seen_at)
  where seen_at is not null and tripped_event is null;
grant select, insert, update (tripped_event) on procura.canary to procura_front;

-- Notes that a decoy was shown, once. Who has the token took it from where it lay, whoever they are. Whoever
-- may do this reads nothing here, and is not told whether it was one.
create function procura.canary_shown(log text, shown text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update procura.canary set seen_at = clock_timestamp()
  where tenant = log and token_hash = shown and seen_at is null
$$;

-- The same of its id, which is no secret: only whoever holds it can have used it.
create function procura.canary_called(log text, called text, by_agent text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update procura.canary c set seen_at = clock_timestamp()
  where c.tenant = log and c.id = called and c.seen_at is null and c.holder in (
    by_agent, (select a.sponsor from procura.agent a where a.tenant = log and a.id = by_agent))
$$;
revoke execute on function procura.canary_shown, procura.canary_called from public;
grant execute on function procura.canary_shown to procura_front, procura_cdp;
grant execute on function procura.canary_called to procura_cdp;
