-- The secrets of targets have keys of their own, which are wrapped anew when the seal is changed; and
-- nobody who delivers can read one that nothing was decided about.
set local role procura_owner;

alter table procura.connector_secret add column wrapped_key bytea; -- null: sealed with the seal itself
revoke select on procura.connector_secret from procura_cdp, procura_reaper;
grant select (tenant, target, key_version, updated_at) on procura.connector_secret
  to procura_cdp, procura_reaper;
grant update (wrapped_key) on procura.connector_secret to procura_cdp;

-- Where an allow gives something. Null in decisions that were made before this.
alter table procura.decision add column target text;

-- When the last allow for a target was, to the hour: kept by what decides, which alone writes decisions.
create table procura.allowed_at (
  tenant text        not null,
  target text        not null,
  at     timestamptz not null,
  primary key (tenant, target)
);
create function procura.note_allowed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (
    select from procura.allowed_at a
    where a.tenant = new.tenant and a.target = new.target and a.at > new.at - interval '1 h'
  ) then
    insert into procura.allowed_at as a (tenant, target, at) values (new.tenant, new.target, new.at)
    on conflict (tenant, target) do update set at = greatest(a.at, excluded.at);
  end if;
  return null;
end $$;
revoke execute on function procura.note_allowed from public;
create trigger note_allowed after insert on procura.decision
  for each row when (new.answer = 'allow' and new.target is not null and new.instance is not null)
  execute function procura.note_allowed();
insert into procura.allowed_at (tenant, target, at)
  select tenant, target, max(issued_at) from procura.lease group by tenant, target;

-- Whether an allow for its very target is behind a lease. One that the reader made up has none; what a
-- gateway asked for has no instance, and is not to be redeemed. What is over is reckoned from the decision,
-- which the delivering side cannot write; of a lease it could set back all but its state.
create function procura.rests_on_allow(l procura.lease) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from procura.decision d
    where d.tenant = l.tenant and d.id = l.decision_id and d.credential = l.id
      and d.answer = 'allow' and d.instance is not null and coalesce(d.target, l.target) = l.target
      and (l.state in ('minting', 'active', 'revoke_pending') or d.at > clock_timestamp() - interval '2 h'))
$$;

-- The sealed secret of a target, for one lease of it that is not over, however long its target takes to
-- confirm that; or whose call may be under way.
create function procura.sealed_secret(log text, of_target text, of_lease text)
returns table (key_version text, wrapped_key bytea, nonce bytea, ciphertext bytea)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select s.key_version, s.wrapped_key, s.nonce, s.ciphertext
    from procura.connector_secret s
    where s.tenant = log and s.target = of_target and exists (
      select from procura.lease l
      where l.tenant = log and l.downstream_name = of_lease and l.target = of_target
        and procura.rests_on_allow(l));
end $$;

-- The same to look for what no lease names, at a target that something was given at within eight days, or
-- that has something left to end.
create function procura.sealed_secret_to_look(log text, of_target text)
returns table (key_version text, wrapped_key bytea, nonce bytea, ciphertext bytea)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select s.key_version, s.wrapped_key, s.nonce, s.ciphertext
    from procura.connector_secret s
    where s.tenant = log and s.target = of_target and (
      exists (
        select from procura.allowed_at a
        where a.tenant = log and a.target = of_target and a.at > clock_timestamp() - interval '8 d')
      or exists (
        select from procura.lease l
        where l.tenant = log and l.target = of_target and l.due_at is not null
          and l.state in ('minting', 'active', 'revoke_pending') and procura.rests_on_allow(l)));
end $$;
revoke execute on function procura.rests_on_allow from public;
revoke execute on function procura.sealed_secret, procura.sealed_secret_to_look from public;
grant execute on function procura.sealed_secret to procura_cdp, procura_reaper;
grant execute on function procura.sealed_secret_to_look to procura_reaper;
