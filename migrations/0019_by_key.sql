-- As before, but that each account comes with its tenant, so that it is found by its key: were the tenant
-- a constant there, all accounts that it has would be a way, too, which looks short while there are few.
set local role procura_owner;

create or replace function procura.debit(log text, rows jsonb)
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
