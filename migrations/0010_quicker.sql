-- Less work for the same: what is looked through again and again, and what was stored the long way.
set local role procura_owner;

-- As before, but that it stops at the first decision that may still be redeemed, and reads none after it.
create or replace function procura.unredeemed(log text, after bigint, most int)
returns table (looked bigint, found jsonb)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
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

-- A plan that is made while a table is small may find a row by any index that begins with the tenant, and
-- then looks at all rows of the tenant when the table has grown. By its age a key is only ever forgotten.
drop index procura.request_key_by_age;
create index request_key_by_age on procura.request_key (created_at);

-- Nothing encrypted gets smaller: no time is spent on trying.
alter table procura.sealed_payload alter column ciphertext set storage external;
-- What fits into its page stays there as it is: to compress an entry, or to store it elsewhere, takes
-- longer than all else that is done with it.
alter table procura.sealed_payload set (toast_tuple_target = 8160);
alter table ledger.leaf set (toast_tuple_target = 4080);
