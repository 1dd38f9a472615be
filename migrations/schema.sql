-- What pg_dump 15 --schema-only says of an empty database after all migrations: npm run schema

--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: ledger; Type: SCHEMA; Schema: -; Owner: procura_owner
--

CREATE SCHEMA ledger;

ALTER SCHEMA ledger OWNER TO procura_owner;

--
-- Name: procura; Type: SCHEMA; Schema: -; Owner: postgres
--

CREATE SCHEMA procura;

ALTER SCHEMA procura OWNER TO postgres;

--
-- Name: append(text, bigint, text[], text[]); Type: FUNCTION; Schema: ledger; Owner: procura_ledger
--

CREATE FUNCTION ledger.append(log text, first bigint, entries text[], allowed text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
  from (select entry, n, entry::jsonb as read from unnest(entries) with ordinality as fresh (entry, n)
        offset 0) as fresh
  where read ->> 'event_type' = any (allowed) and (read ->> 'seq')::bigint = first + n - 1;
  get diagnostics appended = row_count;
  if appended <> cardinality(entries) then
    raise exception 'ledger: not an event of this side, or out of its place';
  end if;
end $$;

ALTER FUNCTION ledger.append(log text, first bigint, entries text[], allowed text[]) OWNER TO procura_ledger;

--
-- Name: append_decided(text, bigint, text[]); Type: FUNCTION; Schema: ledger; Owner: procura_ledger
--

CREATE FUNCTION ledger.append_decided(log text, first bigint, entries text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select ledger.append(log, first, entries, array['decision', 'explained', 'approval_requested'])
$$;

ALTER FUNCTION ledger.append_decided(log text, first bigint, entries text[]) OWNER TO procura_ledger;

--
-- Name: append_issued(text, bigint, text[]); Type: FUNCTION; Schema: ledger; Owner: procura_ledger
--

CREATE FUNCTION ledger.append_issued(log text, first bigint, entries text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select ledger.append(log, first, entries, array[
    'issuance', 'issuance_failed', 'usage', 'credential_ended', 'remediation'])
$$;

ALTER FUNCTION ledger.append_issued(log text, first bigint, entries text[]) OWNER TO procura_ledger;

--
-- Name: append_registered(text, bigint, text[]); Type: FUNCTION; Schema: ledger; Owner: procura_ledger
--

CREATE FUNCTION ledger.append_registered(log text, first bigint, entries text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select ledger.append(log, first, entries, array[
    'log_opened', 'agent_registered', 'agent_retired', 'consent_granted', 'session_issued', 'root_issued',
    'delegation_registered', 'approval_decided', 'revocation', 'freeze', 'canary_tripped', 'refusals',
    'admin_change', 'outage'])
$$;

ALTER FUNCTION ledger.append_registered(log text, first bigint, entries text[]) OWNER TO procura_ledger;

--
-- Name: holds(text, bigint, text); Type: FUNCTION; Schema: ledger; Owner: procura_ledger
--

CREATE FUNCTION ledger.holds(log text, at bigint, event text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select exists (select from ledger.leaf where tenant = log and index = at and event_id = event)
$$;

ALTER FUNCTION ledger.holds(log text, at bigint, event text) OWNER TO procura_ledger;

--
-- Name: refuse_change(); Type: FUNCTION; Schema: ledger; Owner: procura_owner
--

CREATE FUNCTION ledger.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception 'ledger: % of %.% is refused', tg_op, tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege';
end $$;

ALTER FUNCTION ledger.refuse_change() OWNER TO procura_owner;

--
-- Name: turn(text); Type: FUNCTION; Schema: ledger; Owner: procura_ledger
--

CREATE FUNCTION ledger.turn(log text) RETURNS TABLE(next bigint, now timestamp with time zone, last_recorded_at text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform pg_advisory_xact_lock(6962, hashtext(log));
  return query
    select coalesce(max(leaf.index) + 1, 0), clock_timestamp(),
           (select newest.entry::jsonb ->> 'recorded_at' from ledger.leaf newest
            where newest.tenant = log order by newest.index desc limit 1)
    from ledger.leaf leaf where leaf.tenant = log;
end $$;

ALTER FUNCTION ledger.turn(log text) OWNER TO procura_ledger;

--
-- Name: begin_refresh(text, text, text, bigint, integer, text, text, integer); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.begin_refresh(log text, of_target text, of_lease text, of_generation bigint, of_failures integer, with_settings text, as_claim text, for_ms integer) RETURNS TABLE(is_begun boolean, was_unanswered boolean, generation bigint, key_version text, wrapped_key bytea, nonce bytea, ciphertext bytea, secret_key_version text, secret_wrapped_key bytea, secret_nonce bytea, secret_ciphertext bytea)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION procura.begin_refresh(log text, of_target text, of_lease text, of_generation bigint, of_failures integer, with_settings text, as_claim text, for_ms integer) OWNER TO procura_owner;

--
-- Name: canary_called(text, text, text); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.canary_called(log text, called text, by_agent text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update procura.canary c set seen_at = clock_timestamp()
  where c.tenant = log and c.id = called and c.seen_at is null and c.holder in (
    by_agent, (select a.sponsor from procura.agent a where a.tenant = log and a.id = by_agent))
$$;

ALTER FUNCTION procura.canary_called(log text, called text, by_agent text) OWNER TO procura_owner;

--
-- Name: canary_shown(text, text); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.canary_shown(log text, shown text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update procura.canary set seen_at = clock_timestamp()
  where tenant = log and token_hash = shown and seen_at is null
$$;

ALTER FUNCTION procura.canary_shown(log text, shown text) OWNER TO procura_owner;

--
-- Name: debit(text, jsonb); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.debit(log text, rows jsonb) RETURNS TABLE(n integer, nth bigint, bound bigint, used bigint, used_after bigint)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  wanted record;
  found_one record;
  short boolean;
begin
  -- Where there is enough for all, it is one update. Its condition is looked at again on the very row.
  return query
    with asked as (
      select log as tenant, r.n, r.decision, d.*
      from jsonb_to_recordset(rows) as r (n int, decision text, debits jsonb),
        rows from (jsonb_to_recordset(r.debits) as (account text, key text, type text, amount bigint))
          with ordinality as d (account, key, type, amount, nth)
    ), total as (
      select tenant, account, key, type, sum(amount)::bigint as amount
      from asked group by tenant, account, key, type
    ), made as (
      update procura.budget b set used = b.used + t.amount from total t
      where b.tenant = t.tenant and b.account = t.account and b.key = t.key and b.type = t.type
        and b.used + t.amount <= b.bound
        and not exists (
          select from total t
          where not exists (
            select from procura.budget b
            where b.tenant = t.tenant and b.account = t.account and b.key = t.key and b.type = t.type
              and b.used + t.amount <= b.bound))
      returning b.account, b.key, b.type, b.bound, b.used - t.amount as used
    ), noted as (
      insert into procura.spent (tenant, decision, account, key, type, amount)
      select log, decision, account, key, type, amount from asked join made using (account, key, type)
    )
    select a.n, a.nth, m.bound, (m.used + sum(a.amount) over spending)::bigint - a.amount,
      (m.used + sum(a.amount) over spending)::bigint
    from asked a join made m using (account, key, type)
    window spending as (partition by account, key, type order by a.n, a.nth);
  if found then
    return;
  end if;

  -- Somebody comes too late: one after another.
  for wanted in
    select r.n, r.decision, r.debits from jsonb_to_recordset(rows) as r (n int, decision text, debits jsonb)
    order by r.n
  loop
    n := wanted.n;
    select bool_or(b.used is null or b.used + d.amount > b.bound) into short
    from jsonb_to_recordset(wanted.debits) as d (account text, key text, type text, amount bigint)
    left join procura.budget b
      on b.tenant = log and b.account = d.account and b.key = d.key and b.type = d.type;
    for found_one in
      select d.account, d.key, d.type, d.amount, d.nth, b.bound, b.used
      from rows from (jsonb_to_recordset(wanted.debits)
             as (account text, key text, type text, amount bigint)) with ordinality
             as d (account, key, type, amount, nth)
      left join procura.budget b
        on b.tenant = log and b.account = d.account and b.key = d.key and b.type = d.type
      order by d.nth
    loop
      nth := found_one.nth;
      bound := found_one.bound;
      used := found_one.used;
      used_after := null;
      if not short then
        update procura.budget b set used = b.used + found_one.amount
        where b.tenant = log and b.account = found_one.account and b.key = found_one.key
          and b.type = found_one.type and b.used + found_one.amount <= b.bound
        returning b.used into strict used_after;
        insert into procura.spent (tenant, decision, account, key, type, amount)
        values (log, wanted.decision, found_one.account, found_one.key, found_one.type, found_one.amount);
      end if;
      return next;
    end loop;
  end loop;
end $$;

ALTER FUNCTION procura.debit(log text, rows jsonb) OWNER TO procura_owner;

--
-- Name: drop_token(text, text, text, bigint, integer); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.drop_token(log text, of_target text, of_lease text, of_generation bigint, older_than_ms integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if not procura.is_asked_for(log, of_target, of_lease) then return false; end if;
  update procura.target_token
  set usable_until = null
  where tenant = log and target = of_target and generation = of_generation
    and made_at < clock_timestamp() - older_than_ms * interval '1 ms';
  return found;
end $$;

ALTER FUNCTION procura.drop_token(log text, of_target text, of_lease text, of_generation bigint, older_than_ms integer) OWNER TO procura_owner;

--
-- Name: end_refresh(text, text, text, text, text, text); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.end_refresh(log text, of_target text, of_lease text, with_settings text, with_claim text, effect text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION procura.end_refresh(log text, of_target text, of_lease text, with_settings text, with_claim text, effect text) OWNER TO procura_owner;

--
-- Name: is_asked_for(text, text, text); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.is_asked_for(log text, of_target text, of_lease text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select exists (
    select from procura.lease l
    where l.tenant = log and l.downstream_name = of_lease and l.target = of_target
      and procura.rests_on_allow(l))
$$;

ALTER FUNCTION procura.is_asked_for(log text, of_target text, of_lease text) OWNER TO procura_owner;

--
-- Name: lease_is_due(); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.lease_is_due() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  new.due_at := case new.state
    when 'minting' then new.updated_at + interval '30 s'
    when 'active' then least(new.expires_at, new.next_try_at)
    when 'revoke_pending' then coalesce(new.next_try_at, '-infinity')
  end;
  return new;
end $$;

ALTER FUNCTION procura.lease_is_due() OWNER TO procura_owner;

--
-- Name: lease_only_ends(); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.lease_only_ends() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION procura.lease_only_ends() OWNER TO procura_owner;

--
-- Name: note_allowed(); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.note_allowed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION procura.note_allowed() OWNER TO procura_owner;

--
-- Name: refund_unused(text, text); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.refund_unused(log text, of_decision text) RETURNS TABLE(account text, key text, type text, bound bigint, amount bigint, used_after bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
begin
  if not exists (
    select from procura.lease
    where tenant = log and decision_id = of_decision and ended_at is not null
      and (state = 'failed' or (connector in ('jwt', 'http', 'postgres-exact') and state in ('returned', 'expired', 'revoked')))
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

ALTER FUNCTION procura.refund_unused(log text, of_decision text) OWNER TO procura_owner;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: lease; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.lease (
    tenant text NOT NULL,
    id text NOT NULL,
    decision_id text NOT NULL,
    state text NOT NULL,
    connector text NOT NULL,
    target text NOT NULL,
    downstream_name text NOT NULL,
    audience text,
    sponsor text NOT NULL,
    agent text NOT NULL,
    instance text NOT NULL,
    consent text NOT NULL,
    jkt text NOT NULL,
    intent jsonb NOT NULL,
    revocation_epoch bigint NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    confirmed_dead_at timestamp with time zone,
    event_id text,
    claim text,
    claimed_until timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    next_try_at timestamp with time zone,
    due_at timestamp with time zone,
    delegation text,
    CONSTRAINT lease_downstream_name_check CHECK ((downstream_name ~ '^cb_[a-z2-7]{26}$'::text)),
    CONSTRAINT lease_expires_at_check CHECK (isfinite(expires_at)),
    CONSTRAINT lease_state_check CHECK ((state = ANY (ARRAY['minting'::text, 'active'::text, 'redeemed'::text, 'returned'::text, 'expired'::text, 'revoked'::text, 'failed'::text, 'revoke_pending'::text])))
);

ALTER TABLE procura.lease OWNER TO procura_owner;

--
-- Name: rests_on_allow(procura.lease); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.rests_on_allow(l procura.lease) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select exists (
    select from procura.decision d
    where d.tenant = l.tenant and d.id = l.decision_id and d.credential = l.id
      and d.answer = 'allow' and d.instance is not null and coalesce(d.target, l.target) = l.target
      and (l.state in ('minting', 'active', 'revoke_pending') or d.at > clock_timestamp() - interval '2 h'))
$$;

ALTER FUNCTION procura.rests_on_allow(l procura.lease) OWNER TO procura_owner;

--
-- Name: sealed_secret(text, text, text); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.sealed_secret(log text, of_target text, of_lease text) RETURNS TABLE(key_version text, wrapped_key bytea, nonce bytea, ciphertext bytea)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select s.key_version, s.wrapped_key, s.nonce, s.ciphertext
    from procura.connector_secret s
    where s.tenant = log and s.target = of_target and exists (
      select from procura.lease l
      where l.tenant = log and l.downstream_name = of_lease and l.target = of_target
        and procura.rests_on_allow(l));
end $$;

ALTER FUNCTION procura.sealed_secret(log text, of_target text, of_lease text) OWNER TO procura_owner;

--
-- Name: sealed_secret_to_look(text, text); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.sealed_secret_to_look(log text, of_target text) RETURNS TABLE(key_version text, wrapped_key bytea, nonce bytea, ciphertext bytea)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION procura.sealed_secret_to_look(log text, of_target text) OWNER TO procura_owner;

--
-- Name: sealed_token(text, text, text); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.sealed_token(log text, of_target text, of_lease text) RETURNS TABLE(generation bigint, failures integer, settings text, is_usable boolean, failed_at timestamp with time zone, refused_for text[], key_version text, wrapped_key bytea, nonce bytea, ciphertext bytea)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select t.generation, t.failures, t.settings, coalesce(t.usable_until > clock_timestamp(), false),
      t.failed_at, t.refused_for, t.key_version, t.wrapped_key, t.nonce, t.ciphertext
    from procura.target_token t
    join procura.connector_secret s
      on s.tenant = t.tenant and s.target = t.target and s.nonce = t.secret_nonce
    where t.tenant = log and t.target = of_target and procura.is_asked_for(log, of_target, of_lease);
end $$;

ALTER FUNCTION procura.sealed_token(log text, of_target text, of_lease text) OWNER TO procura_owner;

--
-- Name: store_token(text, text, text, bigint, text, integer, text, bytea, bytea, bytea); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.store_token(log text, of_target text, of_lease text, of_generation bigint, with_settings text, usable_ms integer, with_version text, with_key bytea, with_nonce bytea, with_ciphertext bytea) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION procura.store_token(log text, of_target text, of_lease text, of_generation bigint, with_settings text, usable_ms integer, with_version text, with_key bytea, with_nonce bytea, with_ciphertext bytea) OWNER TO procura_owner;

--
-- Name: tell_leases(text); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.tell_leases(log text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION procura.tell_leases(log text) OWNER TO procura_owner;

--
-- Name: tell_some_leases(text); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.tell_some_leases(log text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

ALTER FUNCTION procura.tell_some_leases(log text) OWNER TO procura_owner;

--
-- Name: unredeemed(text, bigint, integer); Type: FUNCTION; Schema: procura; Owner: procura_owner
--

CREATE FUNCTION procura.unredeemed(log text, after bigint, most integer) RETURNS TABLE(looked bigint, found jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  one record;
  given_up jsonb;
  up_to bigint := after;
  never jsonb := '[]';
begin
  for one in
    select l.index, l.entry::jsonb as read from ledger.leaf l
    where l.tenant = log and l.event_type = 'decision' and l.index > after order by l.index limit most
  loop
    exit when (one.read ->> 'recorded_at')::timestamptz >= clock_timestamp() - interval '70 s';
    up_to := one.index;
    select jsonb_build_array(jsonb_build_object('credential', d.credential, 'entry', one.read))
      into given_up
    from procura.decision d
    where d.tenant = log and d.id = one.read -> 'decision' ->> 'id'
      and d.answer = 'allow' and d.instance is not null
      and not exists (select from procura.lease l where l.tenant = log and l.decision_id = d.id);
    never := never || coalesce(given_up, '[]');
  end loop;
  return query select up_to, never;
end $$;

ALTER FUNCTION procura.unredeemed(log text, after bigint, most integer) OWNER TO procura_owner;

--
-- Name: checkpoint; Type: TABLE; Schema: ledger; Owner: procura_owner
--

CREATE TABLE ledger.checkpoint (
    tenant text NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    signed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT checkpoint_root_check CHECK ((octet_length(root) = 32)),
    CONSTRAINT checkpoint_size_check CHECK ((size > 0))
);

ALTER TABLE ledger.checkpoint OWNER TO procura_owner;

--
-- Name: leaf; Type: TABLE; Schema: ledger; Owner: procura_owner
--

CREATE TABLE ledger.leaf (
    tenant text NOT NULL,
    index bigint NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL,
    entry text NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT leaf_check CHECK ((hash = sha256(('\x00'::bytea || convert_to(entry, 'UTF8'::name))))),
    CONSTRAINT leaf_entry_check CHECK ((octet_length(entry) <= 32768)),
    CONSTRAINT leaf_index_check CHECK ((index >= 0))
)
WITH (toast_tuple_target='4080');

ALTER TABLE ledger.leaf OWNER TO procura_owner;

--
-- Name: node; Type: TABLE; Schema: ledger; Owner: procura_owner
--

CREATE TABLE ledger.node (
    tenant text NOT NULL,
    level integer NOT NULL,
    index bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT node_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT node_index_check CHECK ((index >= 0)),
    CONSTRAINT node_level_check CHECK (((level >= 1) AND (level <= 62)))
);

ALTER TABLE ledger.node OWNER TO procura_owner;

--
-- Name: agent; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.agent (
    tenant text NOT NULL,
    id text NOT NULL,
    sponsor text NOT NULL,
    name text NOT NULL,
    description text,
    workload jsonb NOT NULL,
    workload_key text NOT NULL,
    status text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    event_id text NOT NULL,
    CONSTRAINT agent_status_check CHECK ((status = ANY (ARRAY['active'::text, 'retired'::text])))
);

ALTER TABLE procura.agent OWNER TO procura_owner;

--
-- Name: allowed_at; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.allowed_at (
    tenant text NOT NULL,
    target text NOT NULL,
    at timestamp with time zone NOT NULL
);

ALTER TABLE procura.allowed_at OWNER TO procura_owner;

--
-- Name: approval; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.approval (
    tenant text NOT NULL,
    id text NOT NULL,
    status text NOT NULL,
    binding_hash text NOT NULL,
    asked jsonb NOT NULL,
    agent text NOT NULL,
    sponsor text NOT NULL,
    consent text NOT NULL,
    decision text NOT NULL,
    shown jsonb NOT NULL,
    justification text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    approver text,
    decided_at timestamp with time zone,
    approved_until timestamp with time zone,
    evidence text,
    consumed_by text,
    CONSTRAINT approval_check CHECK (((status = 'approved'::text) <= ((approver IS NOT NULL) AND (approved_until IS NOT NULL)))),
    CONSTRAINT approval_check1 CHECK (((consumed_by IS NULL) OR (status = 'approved'::text))),
    CONSTRAINT approval_expires_at_check CHECK (isfinite(expires_at)),
    CONSTRAINT approval_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'approved'::text, 'denied'::text, 'expired'::text, 'cancelled'::text, 'failed'::text])))
);

ALTER TABLE procura.approval OWNER TO procura_owner;

--
-- Name: assertion; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.assertion (
    tenant text NOT NULL,
    hash text NOT NULL,
    jkt text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT assertion_expires_at_check CHECK (isfinite(expires_at))
);

ALTER TABLE procura.assertion OWNER TO procura_owner;

--
-- Name: budget; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.budget (
    tenant text NOT NULL,
    account text NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    bound bigint NOT NULL,
    used bigint DEFAULT 0 NOT NULL,
    CONSTRAINT budget_bound_check CHECK (((bound >= 0) AND (bound <= '9007199254740991'::bigint))),
    CONSTRAINT budget_check CHECK (((used >= 0) AND (used <= bound))),
    CONSTRAINT budget_type_check CHECK ((type = ANY (ARRAY['max_subtree'::text, 'max_lifetime'::text])))
);

ALTER TABLE procura.budget OWNER TO procura_owner;

--
-- Name: canary; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.canary (
    tenant text NOT NULL,
    id text NOT NULL,
    token_hash text NOT NULL,
    holder_kind text NOT NULL,
    holder text NOT NULL,
    label text NOT NULL,
    planted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone,
    tripped_event text,
    CONSTRAINT canary_check CHECK (((tripped_event IS NULL) OR (seen_at IS NOT NULL))),
    CONSTRAINT canary_expires_at_check CHECK (isfinite(expires_at)),
    CONSTRAINT canary_holder_kind_check CHECK ((holder_kind = ANY (ARRAY['agent'::text, 'sponsor'::text])))
);

ALTER TABLE procura.canary OWNER TO procura_owner;

--
-- Name: connector_secret; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.connector_secret (
    tenant text NOT NULL,
    target text NOT NULL,
    key_version text NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    wrapped_key bytea,
    CONSTRAINT connector_secret_nonce_check CHECK ((octet_length(nonce) = 12))
);

ALTER TABLE procura.connector_secret OWNER TO procura_owner;

--
-- Name: consent; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.consent (
    tenant text NOT NULL,
    id text NOT NULL,
    sponsor text NOT NULL,
    agent text NOT NULL,
    terms jsonb NOT NULL,
    terms_hash text NOT NULL,
    consent_jwt text NOT NULL,
    max_uses bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    withdrawn_at timestamp with time zone,
    event_id text NOT NULL,
    CONSTRAINT consent_expires_at_check CHECK (isfinite(expires_at)),
    CONSTRAINT consent_max_uses_check CHECK ((max_uses > 0))
);

ALTER TABLE procura.consent OWNER TO procura_owner;

--
-- Name: decision; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.decision (
    tenant text NOT NULL,
    id text NOT NULL,
    at timestamp with time zone NOT NULL,
    face text NOT NULL,
    answer text NOT NULL,
    sponsor text NOT NULL,
    agent text NOT NULL,
    instance text,
    consent text NOT NULL,
    credential text,
    approval text,
    event_id text NOT NULL,
    snapshot text,
    delegation text,
    target text,
    canary boolean,
    CONSTRAINT decision_answer_check CHECK ((answer = ANY (ARRAY['allow'::text, 'ask'::text, 'deny'::text, 'none'::text])))
);

ALTER TABLE procura.decision OWNER TO procura_owner;

--
-- Name: delegation; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.delegation (
    tenant text NOT NULL,
    id text NOT NULL,
    token_hash text NOT NULL,
    depth integer NOT NULL,
    root text NOT NULL,
    parent text NOT NULL,
    consent text NOT NULL,
    sponsor text NOT NULL,
    agent text NOT NULL,
    jkt text NOT NULL,
    purpose text NOT NULL,
    effective jsonb NOT NULL,
    hops jsonb NOT NULL,
    accounts jsonb NOT NULL,
    path text[] NOT NULL,
    agents text[] NOT NULL,
    keys text[] NOT NULL,
    registered_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    event_id text NOT NULL,
    CONSTRAINT delegation_depth_check CHECK (((depth >= 1) AND (depth <= 7))),
    CONSTRAINT delegation_expires_at_check CHECK (isfinite(expires_at))
);

ALTER TABLE procura.delegation OWNER TO procura_owner;

--
-- Name: epoch; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.epoch (
    tenant text NOT NULL,
    kind text NOT NULL,
    value bigint NOT NULL,
    CONSTRAINT epoch_kind_check CHECK ((kind = ANY (ARRAY['policy'::text, 'revocation'::text]))),
    CONSTRAINT epoch_value_check CHECK ((value >= 0))
);

ALTER TABLE procura.epoch OWNER TO procura_owner;

--
-- Name: freeze; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura."freeze" (
    tenant text NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    scope text NOT NULL,
    owner text,
    cause text NOT NULL,
    since timestamp with time zone NOT NULL,
    event_id text NOT NULL,
    lifted_at timestamp with time zone,
    lift_event_id text,
    CONSTRAINT freeze_check CHECK (((scope = ''::text) = (kind = 'everything'::text))),
    CONSTRAINT freeze_check1 CHECK (((lifted_at IS NULL) = (lift_event_id IS NULL))),
    CONSTRAINT freeze_kind_check CHECK ((kind = ANY (ARRAY['everything'::text, 'tool'::text, 'agent'::text, 'sponsor'::text])))
);

ALTER TABLE procura."freeze" OWNER TO procura_owner;

--
-- Name: instance; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.instance (
    tenant text NOT NULL,
    id text NOT NULL,
    agent text NOT NULL,
    jkt text NOT NULL,
    first_seen timestamp with time zone NOT NULL,
    model jsonb
);

ALTER TABLE procura.instance OWNER TO procura_owner;

--
-- Name: looked_at; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.looked_at (
    tenant text NOT NULL,
    index bigint NOT NULL
);

ALTER TABLE procura.looked_at OWNER TO procura_owner;

--
-- Name: migration; Type: TABLE; Schema: procura; Owner: postgres
--

CREATE TABLE procura.migration (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT migration_number_check CHECK ((number > 0))
);

ALTER TABLE procura.migration OWNER TO postgres;

--
-- Name: person; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.person (
    tenant text NOT NULL,
    id text NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    display text,
    roles text[] NOT NULL,
    groups text[] NOT NULL,
    seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE procura.person OWNER TO procura_owner;

--
-- Name: policy_set; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.policy_set (
    tenant text NOT NULL,
    epoch bigint NOT NULL,
    hash text NOT NULL,
    schema_hash text NOT NULL,
    files jsonb NOT NULL,
    published_at timestamp with time zone NOT NULL,
    published_by text NOT NULL,
    event_id text NOT NULL
);

ALTER TABLE procura.policy_set OWNER TO procura_owner;

--
-- Name: reached; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.reached (
    tenant text NOT NULL,
    revocation text NOT NULL,
    lease text NOT NULL
);

ALTER TABLE procura.reached OWNER TO procura_owner;

--
-- Name: request_key; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.request_key (
    tenant text NOT NULL,
    caller text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint text NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE procura.request_key OWNER TO procura_owner;

--
-- Name: revocation; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.revocation (
    tenant text NOT NULL,
    id text NOT NULL,
    target_kind text NOT NULL,
    target_id text NOT NULL,
    cause text NOT NULL,
    counts jsonb NOT NULL,
    at timestamp with time zone NOT NULL,
    event_id text NOT NULL,
    sponsor text
);

ALTER TABLE procura.revocation OWNER TO procura_owner;

--
-- Name: root; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.root (
    tenant text NOT NULL,
    token_hash text NOT NULL,
    jti text NOT NULL,
    consent text NOT NULL,
    sponsor text NOT NULL,
    agent text NOT NULL,
    instance text NOT NULL,
    jkt text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    event_id text NOT NULL,
    CONSTRAINT root_expires_at_check CHECK (isfinite(expires_at))
);

ALTER TABLE procura.root OWNER TO procura_owner;

--
-- Name: sealed_payload; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.sealed_payload (
    tenant text NOT NULL,
    id text NOT NULL,
    wrapped_key bytea NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
)
WITH (toast_tuple_target='8160');
ALTER TABLE ONLY procura.sealed_payload ALTER COLUMN ciphertext SET STORAGE EXTERNAL;

ALTER TABLE procura.sealed_payload OWNER TO procura_owner;

--
-- Name: session; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.session (
    tenant text NOT NULL,
    jti text NOT NULL,
    consent text NOT NULL,
    agent text NOT NULL,
    instance text NOT NULL,
    delegation text,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT session_expires_at_check CHECK (isfinite(expires_at))
);

ALTER TABLE procura.session OWNER TO procura_owner;

--
-- Name: spent; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.spent (
    tenant text NOT NULL,
    decision text NOT NULL,
    account text NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    amount bigint NOT NULL,
    refunded boolean DEFAULT false NOT NULL,
    CONSTRAINT spent_amount_check CHECK ((amount >= 0))
);

ALTER TABLE procura.spent OWNER TO procura_owner;

--
-- Name: stop; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.stop (
    tenant text NOT NULL,
    kind text NOT NULL,
    id text NOT NULL,
    epoch bigint NOT NULL,
    revocation text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT stop_kind_check CHECK ((kind = ANY (ARRAY['sponsor'::text, 'agent'::text, 'instance'::text, 'key'::text, 'consent'::text, 'root'::text, 'delegation'::text, 'session'::text, 'credential'::text])))
);

ALTER TABLE procura.stop OWNER TO procura_owner;

--
-- Name: token_generation; Type: SEQUENCE; Schema: procura; Owner: procura_owner
--

CREATE SEQUENCE procura.token_generation
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER TABLE procura.token_generation OWNER TO procura_owner;

--
-- Name: target_token; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.target_token (
    tenant text NOT NULL,
    target text NOT NULL,
    secret_nonce bytea NOT NULL,
    generation bigint DEFAULT nextval('procura.token_generation'::regclass) NOT NULL,
    settings text,
    key_version text,
    wrapped_key bytea,
    nonce bytea,
    ciphertext bytea,
    made_at timestamp with time zone,
    usable_until timestamp with time zone,
    claim text,
    claimed_until timestamp with time zone,
    unanswered_since timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    failed_at timestamp with time zone,
    refused_for text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT target_token_check CHECK (((ciphertext IS NULL) = (nonce IS NULL))),
    CONSTRAINT target_token_nonce_check CHECK ((octet_length(nonce) = 12))
);

ALTER TABLE procura.target_token OWNER TO procura_owner;

--
-- Name: told; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.told (
    tenant text NOT NULL,
    epoch bigint NOT NULL
);

ALTER TABLE procura.told OWNER TO procura_owner;

--
-- Name: used_proof; Type: TABLE; Schema: procura; Owner: procura_owner
--

CREATE TABLE procura.used_proof (
    tenant text NOT NULL,
    key text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_by text,
    CONSTRAINT used_proof_expires_at_check CHECK (isfinite(expires_at))
);

ALTER TABLE procura.used_proof OWNER TO procura_owner;

--
-- Name: v_approval; Type: VIEW; Schema: procura; Owner: procura_owner
--

CREATE VIEW procura.v_approval AS
 SELECT approval.tenant,
    approval.id,
    approval.status,
    approval.binding_hash,
    approval.agent,
    approval.sponsor,
    approval.consent,
    approval.decision,
    approval.created_at,
    approval.expires_at,
    approval.approver,
    approval.decided_at,
    approval.approved_until,
    approval.consumed_by
   FROM procura.approval;

ALTER TABLE procura.v_approval OWNER TO procura_owner;

--
-- Name: v_credential; Type: VIEW; Schema: procura; Owner: procura_owner
--

CREATE VIEW procura.v_credential AS
 SELECT l.tenant,
    l.id,
    l.decision_id,
    l.state,
    l.connector,
    l.target,
    l.downstream_name,
    l.sponsor,
    l.agent,
    l.instance,
    l.consent,
    l.issued_at,
    l.expires_at,
    l.updated_at,
    l.ended_at,
    l.end_reason,
    l.confirmed_dead_at,
    l.event_id,
    d.approval AS approval_id
   FROM (procura.lease l
     LEFT JOIN procura.decision d ON (((d.tenant = l.tenant) AND (d.id = l.decision_id))));

ALTER TABLE procura.v_credential OWNER TO procura_owner;

--
-- Name: v_decision; Type: VIEW; Schema: procura; Owner: procura_owner
--

CREATE VIEW procura.v_decision AS
 SELECT decision.tenant,
    decision.id,
    decision.at,
    decision.face,
    decision.answer,
    decision.sponsor,
    decision.agent,
    decision.instance,
    decision.consent,
    decision.credential,
    decision.approval,
    decision.event_id
   FROM procura.decision;

ALTER TABLE procura.v_decision OWNER TO procura_owner;

--
-- Name: v_freeze; Type: VIEW; Schema: procura; Owner: procura_owner
--

CREATE VIEW procura.v_freeze AS
 SELECT "freeze".tenant,
    "freeze".id,
    "freeze".kind,
    "freeze".scope,
    "freeze".cause,
    "freeze".since,
    "freeze".lifted_at,
    "freeze".event_id,
    "freeze".lift_event_id
   FROM procura."freeze";

ALTER TABLE procura.v_freeze OWNER TO procura_owner;

--
-- Name: v_idempotency; Type: VIEW; Schema: procura; Owner: procura_owner
--

CREATE VIEW procura.v_idempotency AS
 SELECT request_key.tenant,
    request_key.caller,
    request_key.route,
    request_key.key,
    request_key.fingerprint,
    request_key.created_at
   FROM procura.request_key;

ALTER TABLE procura.v_idempotency OWNER TO procura_owner;

--
-- Name: v_ledger; Type: VIEW; Schema: procura; Owner: procura_owner
--

CREATE VIEW procura.v_ledger AS
 SELECT leaf.tenant,
    leaf.index AS seq,
    leaf.event_id,
    leaf.event_type,
    leaf.entry,
    leaf.hash
   FROM ledger.leaf;

ALTER TABLE procura.v_ledger OWNER TO procura_owner;

--
-- Name: v_revocation; Type: VIEW; Schema: procura; Owner: procura_owner
--

CREATE VIEW procura.v_revocation AS
 SELECT revocation.tenant,
    revocation.id,
    revocation.target_kind,
    revocation.target_id,
    revocation.cause,
    revocation.counts,
    revocation.at,
    revocation.event_id
   FROM procura.revocation;

ALTER TABLE procura.v_revocation OWNER TO procura_owner;

--
-- Name: v_stop; Type: VIEW; Schema: procura; Owner: procura_owner
--

CREATE VIEW procura.v_stop AS
 SELECT stop.tenant,
    stop.kind,
    stop.id,
    stop.epoch,
    stop.revocation,
    stop.at
   FROM procura.stop;

ALTER TABLE procura.v_stop OWNER TO procura_owner;

--
-- Name: checkpoint checkpoint_pkey; Type: CONSTRAINT; Schema: ledger; Owner: procura_owner
--

ALTER TABLE ONLY ledger.checkpoint
    ADD CONSTRAINT checkpoint_pkey PRIMARY KEY (tenant, size);

--
-- Name: leaf leaf_pkey; Type: CONSTRAINT; Schema: ledger; Owner: procura_owner
--

ALTER TABLE ONLY ledger.leaf
    ADD CONSTRAINT leaf_pkey PRIMARY KEY (tenant, index);

--
-- Name: leaf leaf_tenant_event_id_key; Type: CONSTRAINT; Schema: ledger; Owner: procura_owner
--

ALTER TABLE ONLY ledger.leaf
    ADD CONSTRAINT leaf_tenant_event_id_key UNIQUE (tenant, event_id);

--
-- Name: node node_pkey; Type: CONSTRAINT; Schema: ledger; Owner: procura_owner
--

ALTER TABLE ONLY ledger.node
    ADD CONSTRAINT node_pkey PRIMARY KEY (tenant, level, index);

--
-- Name: agent agent_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.agent
    ADD CONSTRAINT agent_pkey PRIMARY KEY (tenant, id);

--
-- Name: allowed_at allowed_at_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.allowed_at
    ADD CONSTRAINT allowed_at_pkey PRIMARY KEY (tenant, target);

--
-- Name: approval approval_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.approval
    ADD CONSTRAINT approval_pkey PRIMARY KEY (tenant, id);

--
-- Name: assertion assertion_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.assertion
    ADD CONSTRAINT assertion_pkey PRIMARY KEY (tenant, hash);

--
-- Name: budget budget_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.budget
    ADD CONSTRAINT budget_pkey PRIMARY KEY (tenant, account, key, type);

--
-- Name: canary canary_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.canary
    ADD CONSTRAINT canary_pkey PRIMARY KEY (tenant, id);

--
-- Name: canary canary_tenant_token_hash_key; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.canary
    ADD CONSTRAINT canary_tenant_token_hash_key UNIQUE (tenant, token_hash);

--
-- Name: connector_secret connector_secret_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.connector_secret
    ADD CONSTRAINT connector_secret_pkey PRIMARY KEY (tenant, target);

--
-- Name: consent consent_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.consent
    ADD CONSTRAINT consent_pkey PRIMARY KEY (tenant, id);

--
-- Name: decision decision_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.decision
    ADD CONSTRAINT decision_pkey PRIMARY KEY (tenant, id);

--
-- Name: delegation delegation_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.delegation
    ADD CONSTRAINT delegation_pkey PRIMARY KEY (tenant, id);

--
-- Name: delegation delegation_tenant_token_hash_key; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.delegation
    ADD CONSTRAINT delegation_tenant_token_hash_key UNIQUE (tenant, token_hash);

--
-- Name: epoch epoch_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.epoch
    ADD CONSTRAINT epoch_pkey PRIMARY KEY (tenant, kind);

--
-- Name: freeze freeze_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura."freeze"
    ADD CONSTRAINT freeze_pkey PRIMARY KEY (tenant, id);

--
-- Name: instance instance_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (tenant, id);

--
-- Name: instance instance_tenant_jkt_key; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.instance
    ADD CONSTRAINT instance_tenant_jkt_key UNIQUE (tenant, jkt);

--
-- Name: lease lease_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (tenant, id);

--
-- Name: lease lease_tenant_decision_id_key; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.lease
    ADD CONSTRAINT lease_tenant_decision_id_key UNIQUE (tenant, decision_id);

--
-- Name: lease lease_tenant_downstream_name_key; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.lease
    ADD CONSTRAINT lease_tenant_downstream_name_key UNIQUE (tenant, downstream_name);

--
-- Name: looked_at looked_at_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.looked_at
    ADD CONSTRAINT looked_at_pkey PRIMARY KEY (tenant);

--
-- Name: migration migration_pkey; Type: CONSTRAINT; Schema: procura; Owner: postgres
--

ALTER TABLE ONLY procura.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (number);

--
-- Name: person person_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.person
    ADD CONSTRAINT person_pkey PRIMARY KEY (tenant, id);

--
-- Name: person person_tenant_issuer_subject_key; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.person
    ADD CONSTRAINT person_tenant_issuer_subject_key UNIQUE (tenant, issuer, subject);

--
-- Name: policy_set policy_set_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.policy_set
    ADD CONSTRAINT policy_set_pkey PRIMARY KEY (tenant, epoch);

--
-- Name: reached reached_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.reached
    ADD CONSTRAINT reached_pkey PRIMARY KEY (tenant, revocation, lease);

--
-- Name: request_key request_key_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.request_key
    ADD CONSTRAINT request_key_pkey PRIMARY KEY (tenant, caller, route, key);

--
-- Name: revocation revocation_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.revocation
    ADD CONSTRAINT revocation_pkey PRIMARY KEY (tenant, id);

--
-- Name: revocation revocation_tenant_target_kind_target_id_key; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.revocation
    ADD CONSTRAINT revocation_tenant_target_kind_target_id_key UNIQUE (tenant, target_kind, target_id);

--
-- Name: root root_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.root
    ADD CONSTRAINT root_pkey PRIMARY KEY (tenant, token_hash);

--
-- Name: root root_tenant_jti_key; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.root
    ADD CONSTRAINT root_tenant_jti_key UNIQUE (tenant, jti);

--
-- Name: sealed_payload sealed_payload_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.sealed_payload
    ADD CONSTRAINT sealed_payload_pkey PRIMARY KEY (tenant, id);

--
-- Name: session session_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (tenant, jti);

--
-- Name: spent spent_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.spent
    ADD CONSTRAINT spent_pkey PRIMARY KEY (tenant, decision, account, key, type);

--
-- Name: stop stop_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.stop
    ADD CONSTRAINT stop_pkey PRIMARY KEY (tenant, kind, id);

--
-- Name: target_token target_token_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.target_token
    ADD CONSTRAINT target_token_pkey PRIMARY KEY (tenant, target);

--
-- Name: told told_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.told
    ADD CONSTRAINT told_pkey PRIMARY KEY (tenant);

--
-- Name: used_proof used_proof_pkey; Type: CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.used_proof
    ADD CONSTRAINT used_proof_pkey PRIMARY KEY (tenant, key);

--
-- Name: leaf_by_type; Type: INDEX; Schema: ledger; Owner: procura_owner
--

CREATE INDEX leaf_by_type ON ledger.leaf USING btree (tenant, event_type, index);

--
-- Name: agent_by_sponsor; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX agent_by_sponsor ON procura.agent USING btree (tenant, sponsor);

--
-- Name: agent_workload_once; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE UNIQUE INDEX agent_workload_once ON procura.agent USING btree (tenant, workload_key) WHERE (status = 'active'::text);

--
-- Name: approval_by_status; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX approval_by_status ON procura.approval USING btree (tenant, status, created_at);

--
-- Name: approval_open_once; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE UNIQUE INDEX approval_open_once ON procura.approval USING btree (tenant, agent, binding_hash) WHERE (status = 'pending'::text);

--
-- Name: approval_spent_once; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE UNIQUE INDEX approval_spent_once ON procura.approval USING btree (tenant, consumed_by) WHERE (consumed_by IS NOT NULL);

--
-- Name: assertion_by_expiry; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX assertion_by_expiry ON procura.assertion USING btree (expires_at);

--
-- Name: canary_seen; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX canary_seen ON procura.canary USING btree (tenant, seen_at) WHERE ((seen_at IS NOT NULL) AND (tripped_event IS NULL));

--
-- Name: consent_by_agent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX consent_by_agent ON procura.consent USING btree (tenant, agent);

--
-- Name: consent_by_sponsor; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX consent_by_sponsor ON procura.consent USING btree (tenant, sponsor);

--
-- Name: decision_by_agent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX decision_by_agent ON procura.decision USING btree (tenant, agent, at);

--
-- Name: decision_of_canary; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX decision_of_canary ON procura.decision USING btree (tenant, instance) WHERE canary;

--
-- Name: delegation_by_agent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX delegation_by_agent ON procura.delegation USING btree (tenant, agent);

--
-- Name: delegation_by_consent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX delegation_by_consent ON procura.delegation USING btree (tenant, consent);

--
-- Name: delegation_by_root; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX delegation_by_root ON procura.delegation USING btree (tenant, root);

--
-- Name: delegation_through; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX delegation_through ON procura.delegation USING gin (agents);

--
-- Name: delegation_under; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX delegation_under ON procura.delegation USING gin (path);

--
-- Name: delegation_with_key; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX delegation_with_key ON procura.delegation USING gin (keys);

--
-- Name: freeze_in_force; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE UNIQUE INDEX freeze_in_force ON procura."freeze" USING btree (tenant, scope) WHERE (lifted_at IS NULL);

--
-- Name: lease_by_agent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX lease_by_agent ON procura.lease USING btree (tenant, agent);

--
-- Name: lease_by_consent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX lease_by_consent ON procura.lease USING btree (tenant, consent);

--
-- Name: lease_by_delegation; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX lease_by_delegation ON procura.lease USING btree (tenant, delegation) WHERE (delegation IS NOT NULL);

--
-- Name: lease_due; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX lease_due ON procura.lease USING btree (tenant, target, due_at, state) WHERE (due_at IS NOT NULL);

--
-- Name: lease_due_urgent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX lease_due_urgent ON procura.lease USING btree (tenant, target, due_at) WHERE ((due_at IS NOT NULL) AND ((next_try_at IS NOT NULL) OR (state = 'minting'::text)));

--
-- Name: lease_live_by_agent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX lease_live_by_agent ON procura.lease USING btree (tenant, agent) WHERE (due_at IS NOT NULL);

--
-- Name: lease_live_by_instance; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX lease_live_by_instance ON procura.lease USING btree (tenant, instance) WHERE (due_at IS NOT NULL);

--
-- Name: lease_live_by_sponsor; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX lease_live_by_sponsor ON procura.lease USING btree (tenant, sponsor) WHERE (due_at IS NOT NULL);

--
-- Name: lease_unconfirmed; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX lease_unconfirmed ON procura.lease USING btree (tenant, id COLLATE "C") WHERE (state = 'revoke_pending'::text);

--
-- Name: lease_unconfirmed_own; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX lease_unconfirmed_own ON procura.lease USING btree (tenant, sponsor, id COLLATE "C") WHERE (state = 'revoke_pending'::text);

--
-- Name: request_key_by_age; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX request_key_by_age ON procura.request_key USING btree (created_at);

--
-- Name: root_by_consent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX root_by_consent ON procura.root USING btree (tenant, consent);

--
-- Name: root_by_instance; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX root_by_instance ON procura.root USING btree (tenant, instance);

--
-- Name: session_by_agent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX session_by_agent ON procura.session USING btree (tenant, agent) WHERE (delegation IS NULL);

--
-- Name: session_by_consent; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX session_by_consent ON procura.session USING btree (tenant, consent) WHERE (delegation IS NULL);

--
-- Name: session_by_delegation; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX session_by_delegation ON procura.session USING btree (tenant, delegation) WHERE (delegation IS NOT NULL);

--
-- Name: session_by_expiry; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX session_by_expiry ON procura.session USING btree (expires_at);

--
-- Name: session_by_instance; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX session_by_instance ON procura.session USING btree (tenant, instance) WHERE (delegation IS NULL);

--
-- Name: stop_by_epoch; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX stop_by_epoch ON procura.stop USING btree (tenant, epoch);

--
-- Name: stop_by_id; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX stop_by_id ON procura.stop USING btree (tenant, id);

--
-- Name: used_proof_by_expiry; Type: INDEX; Schema: procura; Owner: procura_owner
--

CREATE INDEX used_proof_by_expiry ON procura.used_proof USING btree (expires_at);

--
-- Name: checkpoint checkpoint_only_grows; Type: TRIGGER; Schema: ledger; Owner: procura_owner
--

CREATE TRIGGER checkpoint_only_grows BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.checkpoint FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

--
-- Name: leaf leaf_only_grows; Type: TRIGGER; Schema: ledger; Owner: procura_owner
--

CREATE TRIGGER leaf_only_grows BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.leaf FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

--
-- Name: node node_only_grows; Type: TRIGGER; Schema: ledger; Owner: procura_owner
--

CREATE TRIGGER node_only_grows BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.node FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

--
-- Name: lease lease_is_due; Type: TRIGGER; Schema: procura; Owner: procura_owner
--

CREATE TRIGGER lease_is_due BEFORE INSERT OR UPDATE ON procura.lease FOR EACH ROW EXECUTE FUNCTION procura.lease_is_due();

--
-- Name: lease lease_only_ends; Type: TRIGGER; Schema: procura; Owner: procura_owner
--

CREATE TRIGGER lease_only_ends BEFORE UPDATE ON procura.lease FOR EACH ROW EXECUTE FUNCTION procura.lease_only_ends();

--
-- Name: decision note_allowed; Type: TRIGGER; Schema: procura; Owner: procura_owner
--

CREATE TRIGGER note_allowed AFTER INSERT ON procura.decision FOR EACH ROW WHEN (((new.answer = 'allow'::text) AND (new.target IS NOT NULL) AND (new.instance IS NOT NULL))) EXECUTE FUNCTION procura.note_allowed();

--
-- Name: agent agent_tenant_sponsor_fkey; Type: FK CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.agent
    ADD CONSTRAINT agent_tenant_sponsor_fkey FOREIGN KEY (tenant, sponsor) REFERENCES procura.person(tenant, id);

--
-- Name: consent consent_tenant_agent_fkey; Type: FK CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.consent
    ADD CONSTRAINT consent_tenant_agent_fkey FOREIGN KEY (tenant, agent) REFERENCES procura.agent(tenant, id);

--
-- Name: consent consent_tenant_sponsor_fkey; Type: FK CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.consent
    ADD CONSTRAINT consent_tenant_sponsor_fkey FOREIGN KEY (tenant, sponsor) REFERENCES procura.person(tenant, id);

--
-- Name: delegation delegation_tenant_agent_fkey; Type: FK CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.delegation
    ADD CONSTRAINT delegation_tenant_agent_fkey FOREIGN KEY (tenant, agent) REFERENCES procura.agent(tenant, id);

--
-- Name: delegation delegation_tenant_consent_fkey; Type: FK CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.delegation
    ADD CONSTRAINT delegation_tenant_consent_fkey FOREIGN KEY (tenant, consent) REFERENCES procura.consent(tenant, id);

--
-- Name: delegation delegation_tenant_root_fkey; Type: FK CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.delegation
    ADD CONSTRAINT delegation_tenant_root_fkey FOREIGN KEY (tenant, root) REFERENCES procura.root(tenant, token_hash);

--
-- Name: instance instance_tenant_agent_fkey; Type: FK CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.instance
    ADD CONSTRAINT instance_tenant_agent_fkey FOREIGN KEY (tenant, agent) REFERENCES procura.agent(tenant, id);

--
-- Name: reached reached_tenant_revocation_fkey; Type: FK CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.reached
    ADD CONSTRAINT reached_tenant_revocation_fkey FOREIGN KEY (tenant, revocation) REFERENCES procura.revocation(tenant, id);

--
-- Name: root root_tenant_consent_fkey; Type: FK CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.root
    ADD CONSTRAINT root_tenant_consent_fkey FOREIGN KEY (tenant, consent) REFERENCES procura.consent(tenant, id);

--
-- Name: root root_tenant_instance_fkey; Type: FK CONSTRAINT; Schema: procura; Owner: procura_owner
--

ALTER TABLE ONLY procura.root
    ADD CONSTRAINT root_tenant_instance_fkey FOREIGN KEY (tenant, instance) REFERENCES procura.instance(tenant, id);

--
-- Name: SCHEMA ledger; Type: ACL; Schema: -; Owner: procura_owner
--

GRANT USAGE ON SCHEMA ledger TO procura_front;
GRANT USAGE ON SCHEMA ledger TO procura_pdp;
GRANT USAGE ON SCHEMA ledger TO procura_cdp;
GRANT USAGE ON SCHEMA ledger TO procura_reaper;
GRANT USAGE ON SCHEMA ledger TO procura_ledger;
GRANT USAGE ON SCHEMA ledger TO procura_signer;
GRANT USAGE ON SCHEMA ledger TO procura_verify;

--
-- Name: SCHEMA procura; Type: ACL; Schema: -; Owner: postgres
--

GRANT ALL ON SCHEMA procura TO procura_owner;
GRANT USAGE ON SCHEMA procura TO procura_front;
GRANT USAGE ON SCHEMA procura TO procura_pdp;
GRANT USAGE ON SCHEMA procura TO procura_cdp;
GRANT USAGE ON SCHEMA procura TO procura_reaper;
GRANT USAGE ON SCHEMA procura TO procura_signer;
GRANT USAGE ON SCHEMA procura TO procura_verify;

--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: pg_database_owner
--

REVOKE USAGE ON SCHEMA public FROM PUBLIC;

--
-- Name: FUNCTION append(log text, first bigint, entries text[], allowed text[]); Type: ACL; Schema: ledger; Owner: procura_ledger
--

REVOKE ALL ON FUNCTION ledger.append(log text, first bigint, entries text[], allowed text[]) FROM PUBLIC;

--
-- Name: FUNCTION append_decided(log text, first bigint, entries text[]); Type: ACL; Schema: ledger; Owner: procura_ledger
--

REVOKE ALL ON FUNCTION ledger.append_decided(log text, first bigint, entries text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.append_decided(log text, first bigint, entries text[]) TO procura_pdp;

--
-- Name: FUNCTION append_issued(log text, first bigint, entries text[]); Type: ACL; Schema: ledger; Owner: procura_ledger
--

REVOKE ALL ON FUNCTION ledger.append_issued(log text, first bigint, entries text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.append_issued(log text, first bigint, entries text[]) TO procura_cdp;
GRANT ALL ON FUNCTION ledger.append_issued(log text, first bigint, entries text[]) TO procura_reaper;

--
-- Name: FUNCTION append_registered(log text, first bigint, entries text[]); Type: ACL; Schema: ledger; Owner: procura_ledger
--

REVOKE ALL ON FUNCTION ledger.append_registered(log text, first bigint, entries text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.append_registered(log text, first bigint, entries text[]) TO procura_front;

--
-- Name: FUNCTION holds(log text, at bigint, event text); Type: ACL; Schema: ledger; Owner: procura_ledger
--

REVOKE ALL ON FUNCTION ledger.holds(log text, at bigint, event text) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.holds(log text, at bigint, event text) TO procura_front;
GRANT ALL ON FUNCTION ledger.holds(log text, at bigint, event text) TO procura_pdp;
GRANT ALL ON FUNCTION ledger.holds(log text, at bigint, event text) TO procura_cdp;
GRANT ALL ON FUNCTION ledger.holds(log text, at bigint, event text) TO procura_reaper;

--
-- Name: FUNCTION refuse_change(); Type: ACL; Schema: ledger; Owner: procura_owner
--

REVOKE ALL ON FUNCTION ledger.refuse_change() FROM PUBLIC;

--
-- Name: FUNCTION turn(log text); Type: ACL; Schema: ledger; Owner: procura_ledger
--

REVOKE ALL ON FUNCTION ledger.turn(log text) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.turn(log text) TO procura_front;
GRANT ALL ON FUNCTION ledger.turn(log text) TO procura_pdp;
GRANT ALL ON FUNCTION ledger.turn(log text) TO procura_cdp;
GRANT ALL ON FUNCTION ledger.turn(log text) TO procura_reaper;

--
-- Name: FUNCTION begin_refresh(log text, of_target text, of_lease text, of_generation bigint, of_failures integer, with_settings text, as_claim text, for_ms integer); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.begin_refresh(log text, of_target text, of_lease text, of_generation bigint, of_failures integer, with_settings text, as_claim text, for_ms integer) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.begin_refresh(log text, of_target text, of_lease text, of_generation bigint, of_failures integer, with_settings text, as_claim text, for_ms integer) TO procura_cdp;

--
-- Name: FUNCTION canary_called(log text, called text, by_agent text); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.canary_called(log text, called text, by_agent text) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.canary_called(log text, called text, by_agent text) TO procura_cdp;

--
-- Name: FUNCTION canary_shown(log text, shown text); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.canary_shown(log text, shown text) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.canary_shown(log text, shown text) TO procura_front;
GRANT ALL ON FUNCTION procura.canary_shown(log text, shown text) TO procura_cdp;

--
-- Name: FUNCTION debit(log text, rows jsonb); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.debit(log text, rows jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.debit(log text, rows jsonb) TO procura_pdp;

--
-- Name: FUNCTION drop_token(log text, of_target text, of_lease text, of_generation bigint, older_than_ms integer); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.drop_token(log text, of_target text, of_lease text, of_generation bigint, older_than_ms integer) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.drop_token(log text, of_target text, of_lease text, of_generation bigint, older_than_ms integer) TO procura_cdp;

--
-- Name: FUNCTION end_refresh(log text, of_target text, of_lease text, with_settings text, with_claim text, effect text); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.end_refresh(log text, of_target text, of_lease text, with_settings text, with_claim text, effect text) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.end_refresh(log text, of_target text, of_lease text, with_settings text, with_claim text, effect text) TO procura_cdp;

--
-- Name: FUNCTION is_asked_for(log text, of_target text, of_lease text); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.is_asked_for(log text, of_target text, of_lease text) FROM PUBLIC;

--
-- Name: FUNCTION lease_is_due(); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.lease_is_due() FROM PUBLIC;

--
-- Name: FUNCTION lease_only_ends(); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.lease_only_ends() FROM PUBLIC;

--
-- Name: FUNCTION note_allowed(); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.note_allowed() FROM PUBLIC;

--
-- Name: FUNCTION refund_unused(log text, of_decision text); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.refund_unused(log text, of_decision text) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.refund_unused(log text, of_decision text) TO procura_cdp;
GRANT ALL ON FUNCTION procura.refund_unused(log text, of_decision text) TO procura_reaper;

--
-- Name: TABLE lease; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.lease TO procura_cdp;
GRANT SELECT,INSERT ON TABLE procura.lease TO procura_reaper;
GRANT SELECT ON TABLE procura.lease TO procura_front;

--
-- Name: COLUMN lease.tenant; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(tenant) ON TABLE procura.lease TO procura_pdp;

--
-- Name: COLUMN lease.id; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(id) ON TABLE procura.lease TO procura_pdp;

--
-- Name: COLUMN lease.decision_id; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(decision_id) ON TABLE procura.lease TO procura_pdp;

--
-- Name: COLUMN lease.state; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(state) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(state) ON TABLE procura.lease TO procura_reaper;
GRANT SELECT(state) ON TABLE procura.lease TO procura_pdp;

--
-- Name: COLUMN lease.expires_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(expires_at) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(expires_at) ON TABLE procura.lease TO procura_reaper;

--
-- Name: COLUMN lease.updated_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(updated_at) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(updated_at) ON TABLE procura.lease TO procura_reaper;

--
-- Name: COLUMN lease.ended_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(ended_at) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(ended_at) ON TABLE procura.lease TO procura_reaper;

--
-- Name: COLUMN lease.end_reason; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(end_reason) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(end_reason) ON TABLE procura.lease TO procura_reaper;

--
-- Name: COLUMN lease.confirmed_dead_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(confirmed_dead_at) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(confirmed_dead_at) ON TABLE procura.lease TO procura_reaper;

--
-- Name: COLUMN lease.event_id; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(event_id) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(event_id) ON TABLE procura.lease TO procura_reaper;

--
-- Name: COLUMN lease.claim; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(claim) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(claim) ON TABLE procura.lease TO procura_reaper;

--
-- Name: COLUMN lease.claimed_until; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(claimed_until) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(claimed_until) ON TABLE procura.lease TO procura_reaper;

--
-- Name: COLUMN lease.attempts; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(attempts) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(attempts) ON TABLE procura.lease TO procura_reaper;

--
-- Name: COLUMN lease.next_try_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(next_try_at) ON TABLE procura.lease TO procura_cdp;
GRANT UPDATE(next_try_at) ON TABLE procura.lease TO procura_reaper;

--
-- Name: FUNCTION rests_on_allow(l procura.lease); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.rests_on_allow(l procura.lease) FROM PUBLIC;

--
-- Name: FUNCTION sealed_secret(log text, of_target text, of_lease text); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.sealed_secret(log text, of_target text, of_lease text) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.sealed_secret(log text, of_target text, of_lease text) TO procura_cdp;
GRANT ALL ON FUNCTION procura.sealed_secret(log text, of_target text, of_lease text) TO procura_reaper;

--
-- Name: FUNCTION sealed_secret_to_look(log text, of_target text); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.sealed_secret_to_look(log text, of_target text) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.sealed_secret_to_look(log text, of_target text) TO procura_reaper;

--
-- Name: FUNCTION sealed_token(log text, of_target text, of_lease text); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.sealed_token(log text, of_target text, of_lease text) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.sealed_token(log text, of_target text, of_lease text) TO procura_cdp;

--
-- Name: FUNCTION store_token(log text, of_target text, of_lease text, of_generation bigint, with_settings text, usable_ms integer, with_version text, with_key bytea, with_nonce bytea, with_ciphertext bytea); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.store_token(log text, of_target text, of_lease text, of_generation bigint, with_settings text, usable_ms integer, with_version text, with_key bytea, with_nonce bytea, with_ciphertext bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.store_token(log text, of_target text, of_lease text, of_generation bigint, with_settings text, usable_ms integer, with_version text, with_key bytea, with_nonce bytea, with_ciphertext bytea) TO procura_cdp;

--
-- Name: FUNCTION tell_leases(log text); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.tell_leases(log text) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.tell_leases(log text) TO procura_reaper;

--
-- Name: FUNCTION tell_some_leases(log text); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.tell_some_leases(log text) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.tell_some_leases(log text) TO procura_reaper;

--
-- Name: FUNCTION unredeemed(log text, after bigint, most integer); Type: ACL; Schema: procura; Owner: procura_owner
--

REVOKE ALL ON FUNCTION procura.unredeemed(log text, after bigint, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION procura.unredeemed(log text, after bigint, most integer) TO procura_reaper;

--
-- Name: TABLE checkpoint; Type: ACL; Schema: ledger; Owner: procura_owner
--

GRANT SELECT ON TABLE ledger.checkpoint TO procura_front;
GRANT SELECT,INSERT ON TABLE ledger.checkpoint TO procura_signer;
GRANT SELECT ON TABLE ledger.checkpoint TO procura_verify;

--
-- Name: TABLE leaf; Type: ACL; Schema: ledger; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE ledger.leaf TO procura_ledger;
GRANT SELECT ON TABLE ledger.leaf TO procura_front;
GRANT SELECT ON TABLE ledger.leaf TO procura_signer;
GRANT SELECT ON TABLE ledger.leaf TO procura_verify;

--
-- Name: COLUMN leaf.tenant; Type: ACL; Schema: ledger; Owner: procura_owner
--

GRANT SELECT(tenant) ON TABLE ledger.leaf TO procura_owner;

--
-- Name: COLUMN leaf.index; Type: ACL; Schema: ledger; Owner: procura_owner
--

GRANT SELECT(index) ON TABLE ledger.leaf TO procura_owner;

--
-- Name: COLUMN leaf.event_type; Type: ACL; Schema: ledger; Owner: procura_owner
--

GRANT SELECT(event_type) ON TABLE ledger.leaf TO procura_owner;

--
-- Name: COLUMN leaf.entry; Type: ACL; Schema: ledger; Owner: procura_owner
--

GRANT SELECT(entry) ON TABLE ledger.leaf TO procura_owner;

--
-- Name: TABLE node; Type: ACL; Schema: ledger; Owner: procura_owner
--

GRANT SELECT ON TABLE ledger.node TO procura_front;
GRANT SELECT,INSERT ON TABLE ledger.node TO procura_signer;
GRANT SELECT ON TABLE ledger.node TO procura_verify;

--
-- Name: TABLE agent; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.agent TO procura_front;
GRANT SELECT ON TABLE procura.agent TO procura_pdp;

--
-- Name: COLUMN agent.tenant; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(tenant) ON TABLE procura.agent TO procura_cdp;

--
-- Name: COLUMN agent.id; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(id) ON TABLE procura.agent TO procura_cdp;

--
-- Name: COLUMN agent.sponsor; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(sponsor) ON TABLE procura.agent TO procura_cdp;

--
-- Name: COLUMN agent.status; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(status) ON TABLE procura.agent TO procura_front;

--
-- Name: TABLE approval; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT ON TABLE procura.approval TO procura_front;
GRANT SELECT,INSERT ON TABLE procura.approval TO procura_pdp;

--
-- Name: COLUMN approval.status; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(status) ON TABLE procura.approval TO procura_front;

--
-- Name: COLUMN approval.approver; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(approver) ON TABLE procura.approval TO procura_front;

--
-- Name: COLUMN approval.decided_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(decided_at) ON TABLE procura.approval TO procura_front;

--
-- Name: COLUMN approval.approved_until; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(approved_until) ON TABLE procura.approval TO procura_front;

--
-- Name: COLUMN approval.evidence; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(evidence) ON TABLE procura.approval TO procura_front;

--
-- Name: COLUMN approval.consumed_by; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(consumed_by) ON TABLE procura.approval TO procura_pdp;

--
-- Name: TABLE assertion; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE procura.assertion TO procura_front;

--
-- Name: TABLE budget; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.budget TO procura_front;
GRANT SELECT ON TABLE procura.budget TO procura_pdp;

--
-- Name: COLUMN budget.used; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(used) ON TABLE procura.budget TO procura_pdp;

--
-- Name: TABLE canary; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.canary TO procura_front;

--
-- Name: COLUMN canary.tripped_event; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(tripped_event) ON TABLE procura.canary TO procura_front;

--
-- Name: TABLE connector_secret; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT INSERT ON TABLE procura.connector_secret TO procura_cdp;

--
-- Name: COLUMN connector_secret.tenant; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(tenant) ON TABLE procura.connector_secret TO procura_cdp;
GRANT SELECT(tenant) ON TABLE procura.connector_secret TO procura_reaper;

--
-- Name: COLUMN connector_secret.target; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(target) ON TABLE procura.connector_secret TO procura_cdp;
GRANT SELECT(target) ON TABLE procura.connector_secret TO procura_reaper;

--
-- Name: COLUMN connector_secret.key_version; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(key_version),UPDATE(key_version) ON TABLE procura.connector_secret TO procura_cdp;
GRANT SELECT(key_version) ON TABLE procura.connector_secret TO procura_reaper;

--
-- Name: COLUMN connector_secret.nonce; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(nonce) ON TABLE procura.connector_secret TO procura_cdp;

--
-- Name: COLUMN connector_secret.ciphertext; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(ciphertext) ON TABLE procura.connector_secret TO procura_cdp;

--
-- Name: COLUMN connector_secret.updated_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(updated_at),UPDATE(updated_at) ON TABLE procura.connector_secret TO procura_cdp;
GRANT SELECT(updated_at) ON TABLE procura.connector_secret TO procura_reaper;

--
-- Name: COLUMN connector_secret.wrapped_key; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(wrapped_key) ON TABLE procura.connector_secret TO procura_cdp;

--
-- Name: TABLE consent; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.consent TO procura_front;
GRANT SELECT ON TABLE procura.consent TO procura_pdp;

--
-- Name: COLUMN consent.withdrawn_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(withdrawn_at) ON TABLE procura.consent TO procura_front;

--
-- Name: TABLE decision; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.decision TO procura_pdp;
GRANT SELECT ON TABLE procura.decision TO procura_front;

--
-- Name: TABLE delegation; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.delegation TO procura_front;
GRANT SELECT ON TABLE procura.delegation TO procura_pdp;

--
-- Name: COLUMN delegation.tenant; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(tenant) ON TABLE procura.delegation TO procura_cdp;
GRANT SELECT(tenant) ON TABLE procura.delegation TO procura_reaper;

--
-- Name: COLUMN delegation.id; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(id) ON TABLE procura.delegation TO procura_cdp;
GRANT SELECT(id) ON TABLE procura.delegation TO procura_reaper;

--
-- Name: COLUMN delegation.depth; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(depth) ON TABLE procura.delegation TO procura_cdp;
GRANT SELECT(depth) ON TABLE procura.delegation TO procura_reaper;

--
-- Name: COLUMN delegation.root; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(root) ON TABLE procura.delegation TO procura_cdp;
GRANT SELECT(root) ON TABLE procura.delegation TO procura_reaper;

--
-- Name: COLUMN delegation.path; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(path) ON TABLE procura.delegation TO procura_cdp;
GRANT SELECT(path) ON TABLE procura.delegation TO procura_reaper;

--
-- Name: COLUMN delegation.agents; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(agents) ON TABLE procura.delegation TO procura_cdp;
GRANT SELECT(agents) ON TABLE procura.delegation TO procura_reaper;

--
-- Name: COLUMN delegation.keys; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(keys) ON TABLE procura.delegation TO procura_cdp;
GRANT SELECT(keys) ON TABLE procura.delegation TO procura_reaper;

--
-- Name: TABLE epoch; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.epoch TO procura_front;
GRANT SELECT ON TABLE procura.epoch TO procura_pdp;
GRANT SELECT ON TABLE procura.epoch TO procura_cdp;
GRANT SELECT ON TABLE procura.epoch TO procura_reaper;

--
-- Name: COLUMN epoch.value; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(value) ON TABLE procura.epoch TO procura_front;

--
-- Name: TABLE "freeze"; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura."freeze" TO procura_front;
GRANT SELECT ON TABLE procura."freeze" TO procura_pdp;
GRANT SELECT ON TABLE procura."freeze" TO procura_cdp;
GRANT SELECT ON TABLE procura."freeze" TO procura_reaper;

--
-- Name: COLUMN "freeze".lifted_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(lifted_at) ON TABLE procura."freeze" TO procura_front;

--
-- Name: COLUMN "freeze".lift_event_id; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(lift_event_id) ON TABLE procura."freeze" TO procura_front;

--
-- Name: TABLE instance; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.instance TO procura_front;

--
-- Name: COLUMN instance.tenant; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(tenant) ON TABLE procura.instance TO procura_pdp;

--
-- Name: COLUMN instance.id; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(id) ON TABLE procura.instance TO procura_pdp;

--
-- Name: COLUMN instance.agent; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(agent) ON TABLE procura.instance TO procura_pdp;

--
-- Name: COLUMN instance.jkt; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(jkt) ON TABLE procura.instance TO procura_pdp;

--
-- Name: COLUMN instance.model; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(model) ON TABLE procura.instance TO procura_front;
GRANT SELECT(model) ON TABLE procura.instance TO procura_pdp;

--
-- Name: TABLE looked_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.looked_at TO procura_reaper;

--
-- Name: COLUMN looked_at.index; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(index) ON TABLE procura.looked_at TO procura_reaper;

--
-- Name: TABLE migration; Type: ACL; Schema: procura; Owner: postgres
--

GRANT SELECT ON TABLE procura.migration TO PUBLIC;

--
-- Name: TABLE person; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.person TO procura_front;

--
-- Name: COLUMN person.tenant; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(tenant) ON TABLE procura.person TO procura_pdp;

--
-- Name: COLUMN person.id; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT(id) ON TABLE procura.person TO procura_pdp;

--
-- Name: COLUMN person.display; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(display) ON TABLE procura.person TO procura_front;

--
-- Name: COLUMN person.roles; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(roles) ON TABLE procura.person TO procura_front;
GRANT SELECT(roles) ON TABLE procura.person TO procura_pdp;

--
-- Name: COLUMN person.groups; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(groups) ON TABLE procura.person TO procura_front;
GRANT SELECT(groups) ON TABLE procura.person TO procura_pdp;

--
-- Name: COLUMN person.seen_at; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(seen_at) ON TABLE procura.person TO procura_front;

--
-- Name: TABLE policy_set; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.policy_set TO procura_front;
GRANT SELECT ON TABLE procura.policy_set TO procura_pdp;

--
-- Name: TABLE reached; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.reached TO procura_front;

--
-- Name: TABLE request_key; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE procura.request_key TO procura_front;
GRANT SELECT,INSERT ON TABLE procura.request_key TO procura_pdp;
GRANT SELECT,INSERT ON TABLE procura.request_key TO procura_cdp;

--
-- Name: TABLE revocation; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.revocation TO procura_front;

--
-- Name: TABLE root; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.root TO procura_front;

--
-- Name: TABLE sealed_payload; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.sealed_payload TO procura_front;
GRANT INSERT ON TABLE procura.sealed_payload TO procura_pdp;
GRANT INSERT ON TABLE procura.sealed_payload TO procura_cdp;
GRANT INSERT ON TABLE procura.sealed_payload TO procura_reaper;

--
-- Name: TABLE session; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE procura.session TO procura_front;

--
-- Name: TABLE spent; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.spent TO procura_pdp;

--
-- Name: TABLE stop; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.stop TO procura_front;
GRANT SELECT ON TABLE procura.stop TO procura_pdp;
GRANT SELECT ON TABLE procura.stop TO procura_cdp;
GRANT SELECT ON TABLE procura.stop TO procura_reaper;

--
-- Name: TABLE told; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT ON TABLE procura.told TO procura_reaper;

--
-- Name: COLUMN told.epoch; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT UPDATE(epoch) ON TABLE procura.told TO procura_reaper;

--
-- Name: TABLE used_proof; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT,INSERT,DELETE ON TABLE procura.used_proof TO procura_front;

--
-- Name: TABLE v_approval; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT ON TABLE procura.v_approval TO procura_verify;

--
-- Name: TABLE v_credential; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT ON TABLE procura.v_credential TO procura_verify;

--
-- Name: TABLE v_decision; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT ON TABLE procura.v_decision TO procura_verify;

--
-- Name: TABLE v_freeze; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT ON TABLE procura.v_freeze TO procura_verify;

--
-- Name: TABLE v_idempotency; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT ON TABLE procura.v_idempotency TO procura_verify;

--
-- Name: TABLE v_ledger; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT ON TABLE procura.v_ledger TO procura_verify;

--
-- Name: TABLE v_revocation; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT ON TABLE procura.v_revocation TO procura_verify;

--
-- Name: TABLE v_stop; Type: ACL; Schema: procura; Owner: procura_owner
--

GRANT SELECT ON TABLE procura.v_stop TO procura_verify;

--
-- PostgreSQL database dump complete
--
