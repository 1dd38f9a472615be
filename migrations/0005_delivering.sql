-- What delivering reads and writes: leases, and the sealed secrets of targets.
set local role procura_owner;

create table procura.lease (
  tenant            text        not null,
  id                text        not null,
  decision_id       text        not null,
  state             text        not null check (state in (
    'minting', 'active', 'redeemed', 'returned', 'expired', 'revoked', 'failed', 'revoke_pending')),
  connector         text        not null,
  target            text        not null,
  downstream_name   text        not null check (downstream_name ~ '^cb_[a-z2-7]{26}$'),
  audience          text,
  sponsor           text        not null,
  agent             text        not null,
  instance          text        not null,
  consent           text        not null,
  jkt               text        not null,
  intent            jsonb       not null, -- what was to be made; no secret in it
  revocation_epoch  bigint      not null,
  issued_at         timestamptz not null,
  expires_at        timestamptz not null check (isfinite(expires_at)),
  updated_at        timestamptz not null default clock_timestamp(),
  ended_at          timestamptz,
  end_reason        text,
  confirmed_dead_at timestamptz,
  event_id          text,
  claim             text, -- whoever holds this token may end it, until claimed_until
  claimed_until     timestamptz,
  attempts          int         not null default 0,
  next_try_at       timestamptz,
  primary key (tenant, id),
  unique (tenant, decision_id),
  unique (tenant, downstream_name)
);
create index lease_alive on procura.lease (tenant, expires_at)
  where state in ('minting', 'active', 'revoke_pending');
create index lease_by_consent on procura.lease (tenant, consent);
create index lease_by_agent on procura.lease (tenant, agent);
grant select, insert,
  update (state, updated_at, ended_at, end_reason, confirmed_dead_at, event_id, claim, claimed_until,
          attempts, next_try_at, expires_at)
  on procura.lease to procura_cdp, procura_reaper;
-- Counting what a stop reaches, and telling what a decision led to.
grant select on procura.lease to procura_front;
grant select (tenant, id, decision_id, state) on procura.lease to procura_pdp;

-- A lease that is over stays over, and none becomes longer.
create function procura.lease_only_ends() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.expires_at > old.expires_at then
    raise exception 'lease: an expiry is never extended';
  end if;
  if old.state in ('redeemed', 'returned', 'expired', 'revoked', 'failed') and new.state <> old.state then
    raise exception 'lease: % is final', old.state;
  end if;
  if new.state = 'active' and old.state not in ('minting', 'active') then
    raise exception 'lease: % never becomes active', old.state;
  end if;
  return new;
end $$;
revoke execute on function procura.lease_only_ends from public;
create trigger lease_only_ends before update on procura.lease
  for each row execute function procura.lease_only_ends();

create table procura.connector_secret (
  tenant      text        not null,
  target      text        not null,
  key_version text        not null,
  nonce       bytea       not null check (octet_length(nonce) = 12),
  ciphertext  bytea       not null,
  updated_at  timestamptz not null default clock_timestamp(),
  primary key (tenant, target)
);
grant select, insert, update (key_version, nonce, ciphertext, updated_at)
  on procura.connector_secret to procura_cdp;
grant select on procura.connector_secret to procura_reaper;

-- Gives back, once, what a decision spent, budget and approval, when its lease proves that nothing
-- came of it: it failed before anything existed, or ended unspent where spending is enforced. The
-- delivering side may ask for this and write neither table itself.
create function procura.refund_unused(log text, of_decision text)
returns table (account text, key text, type text, bound bigint, amount bigint, used_after bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  if not exists (
    select from procura.lease
    where tenant = log and decision_id = of_decision and ended_at is not null
      and (state = 'failed' or (connector = 'jwt' and state in ('returned', 'expired', 'revoked')))
  ) then
    return;
  end if;
  update procura.approval set consumed_by = null
  where tenant = log and consumed_by = of_decision
    and exists (select from procura.lease
                where tenant = log and decision_id = of_decision and state = 'failed');
  return query
    with given as (
      update procura.spent set refunded = true
      where tenant = log and decision = of_decision and not refunded
      returning account, key, type, amount
    )
    update procura.budget
    set used = budget.used - given.amount
    from given
    where budget.tenant = log and budget.account = given.account
      and budget.key = given.key and budget.type = given.type
    returning budget.account, budget.key, budget.type, budget.bound, given.amount, budget.used;
end $$;
revoke execute on function procura.refund_unused from public;
grant execute on function procura.refund_unused to procura_cdp, procura_reaper;
