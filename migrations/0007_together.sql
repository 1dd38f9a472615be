-- What is asked for many at once, and answered for each.
grant create on schema ledger to procura_ledger;
set local role procura_ledger;

-- Whether a leaf is there: whoever lost the answer to a commit asks, in a turn of their own.
create function ledger.holds(log text, at bigint, event text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from ledger.leaf where tenant = log and index = at and event_id = event)
$$;
-- As before, but that each entry is read as JSON once: `offset 0` keeps it from being read again for
-- every member that is looked at.
create or replace function ledger.append(log text, first bigint, entries text[], allowed text[])
returns void
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
  from (select entry, n, entry::jsonb as read from unnest(entries) with ordinality as fresh (entry, n)
        offset 0) as fresh
  where read ->> 'event_type' = any (allowed) and (read ->> 'seq')::bigint = first + n - 1;
  get diagnostics appended = row_count;
  if appended <> cardinality(entries) then
    raise exception 'ledger: not an event of this side, or out of its place';
  end if;
end $$;
revoke execute on function ledger.holds from public;
grant execute on function ledger.holds to procura_front, procura_pdp, procura_cdp, procura_reaper;

reset role;
set local role procura_owner;
revoke create on schema ledger from procura_ledger;

-- Debits for many decisions, in their order: each makes all of its debits, or none. `used` is what was
-- found; `used_after` is null where nothing was debited.
create function procura.debit(log text, rows jsonb)
returns table (n int, nth bigint, bound bigint, used bigint, used_after bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  wanted record;
  found_one record;
  short boolean;
begin
  -- Where there is enough for all, it is one update. Its condition is looked at again on the very row.
  return query
    with asked as (
      select r.n, r.decision, d.*
      from jsonb_to_recordset(rows) as r (n int, decision text, debits jsonb),
        rows from (jsonb_to_recordset(r.debits) as (account text, key text, type text, amount bigint))
          with ordinality as d (account, key, type, amount, nth)
    ), total as (
      select account, key, type, sum(amount)::bigint as amount from asked group by account, key, type
    ), made as (
      update procura.budget b set used = b.used + t.amount from total t
      where b.tenant = log and b.account = t.account and b.key = t.key and b.type = t.type
        and b.used + t.amount <= b.bound
        and not exists (
          select from total t
          where not exists (
            select from procura.budget b
            where b.tenant = log and b.account = t.account and b.key = t.key and b.type = t.type
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
revoke execute on function procura.debit from public;
grant execute on function procura.debit to procura_pdp;
