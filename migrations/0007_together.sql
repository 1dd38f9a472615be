-- What is asked for many at once, and answered for each.
grant create on schema ledger to procura_ledger;
set local role procura_ledger;

-- Whether a leaf is there: whoever lost the answer to a commit asks, in a turn of their own.
create function ledger.holds(log text, at bigint, event text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from ledger.leaf where tenant = log and index = at and event_id = event)
$$;
revoke execute on function ledger.holds from public;
grant execute on function ledger.holds to procura_front, procura_pdp, procura_cdp, procura_reaper;

reset role;
set local role procura_owner;
revoke create on schema ledger from procura_ledger;

-- Debits for many decisions, one after another: each makes all of its debits, or none. `used` is what
-- was found; `used_after` is null where nothing was debited.
create function procura.debit(log text, rows jsonb)
returns table (n int, nth int, bound bigint, used bigint, used_after bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  wanted record;
  found record;
  short boolean;
begin
  for wanted in
    select r.n, r.decision, r.debits from jsonb_to_recordset(rows) as r (n int, decision text, debits jsonb)
    order by r.n
  loop
    n := wanted.n;
    select bool_or(b.used is null or b.used + d.amount > b.bound) into short
    from jsonb_to_recordset(wanted.debits) as d (account text, key text, type text, amount bigint)
    left join procura.budget b
      on b.tenant = log and b.account = d.account and b.key = d.key and b.type = d.type;
    for found in
      select d.account, d.key, d.type, d.amount, d.nth, b.bound, b.used
      from rows from (jsonb_to_recordset(wanted.debits)
             as (account text, key text, type text, amount bigint)) with ordinality
             as d (account, key, type, amount, nth)
      left join procura.budget b
        on b.tenant = log and b.account = d.account and b.key = d.key and b.type = d.type
      order by d.nth
    loop
      nth := found.nth;
      bound := found.bound;
      used := found.used;
      used_after := null;
      if not short then
        -- The condition is looked at again on the very row that is changed.
        update procura.budget b set used = b.used + found.amount
        where b.tenant = log and b.account = found.account and b.key = found.key
          and b.type = found.type and b.used + found.amount <= b.bound
        returning b.used into strict used_after;
        insert into procura.spent (tenant, decision, account, key, type, amount)
        values (log, wanted.decision, found.account, found.key, found.type, found.amount);
      end if;
      return next;
    end loop;
  end loop;
end $$;
revoke execute on function procura.debit from public;
grant execute on function procura.debit to procura_pdp;
