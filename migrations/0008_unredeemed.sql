-- Decisions that nobody redeemed in time: a process died between deciding and delivering.
grant select (tenant, index, event_type, entry) on ledger.leaf to procura_owner;
set local role procura_owner;

-- Up to which entry they have been looked for.
create table procura.looked_at (
  tenant text   primary key,
  index  bigint not null
);
grant select, insert, update (index) on procura.looked_at to procura_reaper;

-- Among the next `most` decisions of the log after entry `after`, those that were allowed, are too old to
-- be redeemed (they live for a minute), and never were. `looked` is how far that went. A decision that a
-- gateway asked for has no instance, and is not meant to be redeemed.
create function procura.unredeemed(log text, after bigint, most int)
returns table (looked bigint, found jsonb)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with next as materialized (
    select l.index, l.read
    from (select index, entry::jsonb as read from ledger.leaf
          where tenant = log and event_type = 'decision' and index > after
          order by index limit most) l
  ), young as (
    select min(index) as first from next
    where (read ->> 'recorded_at')::timestamptz >= clock_timestamp() - interval '70 s'
  ), old as (
    select next.index, next.read from next, young where index < coalesce(first, index + 1)
  )
  select coalesce(max(old.index), after),
    coalesce(jsonb_agg(jsonb_build_object('credential', d.credential, 'entry', old.read))
             filter (where d.id is not null), '[]')
  from old
  left join procura.decision d
    on d.tenant = log and d.id = old.read -> 'decision' ->> 'id'
    and d.answer = 'allow' and d.instance is not null
    and not exists (select from procura.lease l where l.tenant = log and l.decision_id = d.id)
$$;
revoke execute on function procura.unredeemed from public;
grant execute on function procura.unredeemed to procura_reaper;
