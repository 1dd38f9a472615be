-- What was to be called through the broker, and was not, is given back: nothing is done with it unseen.

set local role procura_owner;

create or replace function procura.refund_unused(log text, of_decision text)
returns table (account text, key text, type text, bound bigint, amount bigint, used_after bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
