-- Access tokens that are kept between calls, with the refresh token that is current: given out, and
-- written, for what was decided and nothing else, as the secrets are that they come of.
set local role procura_owner;

create sequence procura.token_generation;
create table procura.target_token (
  tenant           text   not null,
  target           text   not null,
  secret_nonce     bytea  not null, -- of the stored secret that it goes back to: beside another it is nothing
  generation       bigint not null default nextval('procura.token_generation'), -- another one with each that is stored
  settings         text, -- a digest of those that the access token was asked for with
  key_version      text, -- from here to the ciphertext: null until there is one
  wrapped_key      bytea,
  nonce            bytea  check (octet_length(nonce) = 12),
  ciphertext       bytea  check ((ciphertext is null) = (nonce is null)),
  made_at          timestamptz,
  usable_until     timestamptz, -- the access token; the refresh token beside it stays
  claim            text, -- whoever holds it asks for the next one, until claimed_until
  claimed_until    timestamptz,
  unanswered_since timestamptz, -- it was asked for, and nobody knows what came of that
  failures         int    not null default 0,
  failed_at        timestamptz,
  refused_for      text[] not null default '{}', -- with each of these settings the refresh token is not taken any more
  primary key (tenant, target)
);

-- The same that a sealed secret is given out for: see sealed_secret.
create function procura.is_asked_for(log text, of_target text, of_lease text) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from procura.lease l
    where l.tenant = log and l.downstream_name = of_lease and l.target = of_target
      and procura.rests_on_allow(l))
$$;

create function procura.sealed_token(log text, of_target text, of_lease text)
returns table (generation bigint, failures int, settings text, is_usable boolean,
  failed_at timestamptz, refused_for text[], key_version text, wrapped_key bytea, nonce bytea, ciphertext bytea)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select t.generation, t.failures, t.settings, coalesce(t.usable_until > clock_timestamp(), false),
      t.failed_at, t.refused_for, t.key_version, t.wrapped_key, t.nonce, t.ciphertext
    from procura.target_token t
    join procura.connector_secret s
      on s.tenant = t.tenant and s.target = t.target and s.nonce = t.secret_nonce
    where t.tenant = log and t.target = of_target and procura.is_asked_for(log, of_target, of_lease);
end $$;

-- One at a time begins, where nothing was stored and nothing failed since it has read, and gets what it
-- asks with: of the secret and the token, what belongs together. No row: nothing on record needs it.
create function procura.begin_refresh(
  log text, of_target text, of_lease text, of_generation bigint, of_failures int, with_settings text,
  as_claim text, for_ms int)
returns table (is_begun boolean, was_unanswered boolean, generation bigint, key_version text,
  wrapped_key bytea, nonce bytea, ciphertext bytea, secret_key_version text, secret_wrapped_key bytea,
  secret_nonce bytea, secret_ciphertext bytea)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  secret procura.connector_secret;
  was procura.target_token;
begin
  if not procura.is_asked_for(log, of_target, of_lease) then return; end if;
  -- One that is stored meanwhile waits, so that what goes back to it is not reset to the one before.
  select * into secret from procura.connector_secret s
  where s.tenant = log and s.target = of_target for share;
  if not found then return; end if;

  insert into procura.target_token as t (tenant, target, secret_nonce)
  values (log, of_target, secret.nonce)
  on conflict (tenant, target) do update
  set secret_nonce = excluded.secret_nonce, generation = excluded.generation, settings = null,
      key_version = null, wrapped_key = null, nonce = null, ciphertext = null, made_at = null,
      usable_until = null, claim = null, claimed_until = null, unanswered_since = null,
      failures = 0, failed_at = null, refused_for = '{}'
  where t.secret_nonce <> excluded.secret_nonce;

  select * into was from procura.target_token t where t.tenant = log and t.target = of_target for update;
  if with_settings = any (was.refused_for) or was.claimed_until > clock_timestamp()
    or was.generation <> coalesce(of_generation, was.generation)
    or (of_generation is null and was.ciphertext is not null)
    or was.failures <> coalesce(of_failures, 0)
  then
    return query select false, false, was.generation, null::text, null::bytea, null::bytea, null::bytea,
      null::text, null::bytea, null::bytea, null::bytea;
    return;
  end if;
  update procura.target_token
  set claim = as_claim, claimed_until = clock_timestamp() + for_ms * interval '1 ms',
      unanswered_since = coalesce(unanswered_since, clock_timestamp())
  where tenant = log and target = of_target;
  return query select true, was.unanswered_since is not null, was.generation, was.key_version,
    was.wrapped_key, was.nonce, was.ciphertext, secret.key_version, secret.wrapped_key, secret.nonce,
    secret.ciphertext;
end $$;

-- Whoever began from an older generation has nothing to store: null. Without a time there is no access
-- token in it, and whoever waits for one has failed.
create function procura.store_token(
  log text, of_target text, of_lease text, of_generation bigint, with_settings text, usable_ms int,
  with_version text, with_key bytea, with_nonce bytea, with_ciphertext bytea) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  is_now bigint;
begin
  if not procura.is_asked_for(log, of_target, of_lease) then return null; end if;
  update procura.target_token
  set generation = nextval('procura.token_generation'), settings = with_settings,
      key_version = with_version, wrapped_key = with_key, nonce = with_nonce, ciphertext = with_ciphertext,
      made_at = clock_timestamp(), usable_until = clock_timestamp() + usable_ms * interval '1 ms',
      claim = null, claimed_until = null, unanswered_since = null,
      refused_for = array_remove(refused_for, with_settings),
      failures = failures + (usable_ms is null)::int,
      failed_at = case when usable_ms is null then clock_timestamp() end
  where tenant = log and target = of_target and generation = of_generation
  returning generation into is_now;
  return is_now;
end $$;

-- Nothing came of it. `unknown`: that may be wrong; `over`: the refresh token is not taken any more.
create function procura.end_refresh(
  log text, of_target text, of_lease text, with_settings text, with_claim text, effect text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not procura.is_asked_for(log, of_target, of_lease) then return false; end if;
  update procura.target_token
  set claim = null, claimed_until = null, failures = failures + 1, failed_at = clock_timestamp(),
      unanswered_since = case effect when 'none' then null else unanswered_since end,
      refused_for = case effect when 'over' then array_remove(refused_for, with_settings) || with_settings
        else refused_for end
  where tenant = log and target = of_target and claim = with_claim;
  return found;
end $$;

-- The target does not take it: it is asked for anew, unless that was done just now.
create function procura.drop_token(
  log text, of_target text, of_lease text, of_generation bigint, older_than_ms int) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not procura.is_asked_for(log, of_target, of_lease) then return false; end if;
  update procura.target_token
  set usable_until = null
  where tenant = log and target = of_target and generation = of_generation
    and made_at < clock_timestamp() - older_than_ms * interval '1 ms';
  return found;
end $$;

revoke execute on function procura.is_asked_for, procura.sealed_token, procura.begin_refresh,
  procura.store_token, procura.end_refresh, procura.drop_token from public;
grant execute on function procura.sealed_token, procura.begin_refresh, procura.store_token,
  procura.end_refresh, procura.drop_token to procura_cdp;
