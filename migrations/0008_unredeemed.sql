-- Decisions that nobody redeemed in time: a process died between deciding and delivering. They are
-- given up, once, and what they had spent is given back.
grant select on ledger.leaf to procura_owner;
set local role procura_owner;

-- Given up: never to be redeemed any more, whatever a clock says.
create table procura.unredeemed (
  tenant   text        not null,
  decision text        not null,
  at       timestamptz not null default clock_timestamp(),
  primary key (tenant, decision)
);
grant select on procura.unredeemed to procura_cdp;

-- Up to when decisions have been looked at.
create table procura.looked_at (
  tenant text        primary key,
  until  timestamptz not null
);

create index decision_allowed on procura.decision (tenant, at) where answer = 'allow';

-- Gives back what a decision spent. For the functions that demand proof that it was not used.
create function procura.refund(log text, of_decision text)
returns table (account text, key text, type text, bound bigint, amount bigint, used_after bigint)
language sql security definer set search_path = pg_catalog, pg_temp as $$
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
  returning budget.account, budget.key, budget.type, budget.bound, given.amount, budget.used
$$;
revoke execute on function procura.refund from public;

create or replace function procura.refund_unused(log text, of_decision text)
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
  return query select * from procura.refund(log, of_decision);
end $$;

-- An allow lives for a minute; ten seconds more, and whoever has not redeemed it never will. Returns
-- what its entry in the log says of it, and what was given back. A decision that a gateway asked for,
-- which has no instance, is not meant to be redeemed.
create function procura.give_up_unredeemed(log text, most int)
returns table (decision text, credential text, entry text, refunds jsonb)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  due timestamptz := clock_timestamp() - interval '70 s';
  since timestamptz;
  found record;
  given int := 0;
  newest timestamptz;
begin
  insert into procura.looked_at (tenant, until) values (log, '-infinity') on conflict do nothing;
  select until into since from procura.looked_at where tenant = log for update;
  for found in
    select d.id, d.at, d.credential, l.entry
    from procura.decision d
    join ledger.leaf l on l.event_id = d.event_id
    where d.tenant = log and l.tenant = log and d.answer = 'allow' and d.instance is not null
      and d.at >= since - interval '70 s' and d.at < due
      and not exists (select from procura.lease where tenant = log and decision_id = d.id)
      and not exists (select from procura.unredeemed where tenant = log and decision = d.id)
    order by d.at limit most
  loop
    insert into procura.unredeemed (tenant, decision) values (log, found.id);
    update procura.approval set consumed_by = null where tenant = log and consumed_by = found.id;
    decision := found.id;
    credential := found.credential;
    entry := found.entry;
    refunds := coalesce((select jsonb_agg(to_jsonb(r)) from procura.refund(log, found.id) r), '[]');
    given := given + 1;
    newest := found.at;
    return next;
  end loop;
  update procura.looked_at set until = case when given < most then due else newest end
  where tenant = log;
end $$;
revoke execute on function procura.give_up_unredeemed from public;
grant execute on function procura.give_up_unredeemed to procura_reaper;
