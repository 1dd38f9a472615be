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

-- The sealed secret of a target, for one lease of it that lives or ended within the hour, and that an
-- allow for this very target is on record for. A lease that the reader made up has none; what a gateway
-- asked for has no instance, and is not to be redeemed.
create function procura.sealed_secret(log text, of_target text, of_lease text)
returns table (key_version text, wrapped_key bytea, nonce bytea, ciphertext bytea)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select s.key_version, s.wrapped_key, s.nonce, s.ciphertext
    from procura.connector_secret s
    where s.tenant = log and s.target = of_target and exists (
      select from procura.lease l
      join procura.decision d on d.tenant = l.tenant and d.id = l.decision_id
      where l.tenant = log and l.downstream_name = of_lease and l.target = of_target
        and (l.ended_at is null or l.ended_at > clock_timestamp() - interval '1 h')
        and d.answer = 'allow' and d.instance is not null and d.credential = l.id
        and coalesce(d.target, of_target) = of_target);
end $$;

-- The same to look for what no lease names, at a target that something was given at within a day.
create function procura.sealed_secret_to_look(log text, of_target text)
returns table (key_version text, wrapped_key bytea, nonce bytea, ciphertext bytea)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select s.key_version, s.wrapped_key, s.nonce, s.ciphertext
    from procura.connector_secret s
    join procura.allowed_at a on a.tenant = s.tenant and a.target = s.target
    where s.tenant = log and s.target = of_target and a.at > clock_timestamp() - interval '25 h';
end $$;
revoke execute on function procura.sealed_secret, procura.sealed_secret_to_look from public;
grant execute on function procura.sealed_secret to procura_cdp, procura_reaper;
grant execute on function procura.sealed_secret_to_look to procura_reaper;
