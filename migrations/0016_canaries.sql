-- Canaries: what nobody has a reason to touch, and what is done about whoever does.
grant create on schema ledger to procura_ledger;
set local role procura_ledger;

create or replace function ledger.append_registered(log text, first bigint, entries text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select ledger.append(log, first, entries, array[
    'log_opened', 'agent_registered', 'agent_retired', 'consent_granted', 'session_issued', 'root_issued',
    'delegation_registered', 'approval_decided', 'revocation', 'freeze', 'canary_tripped', 'refusals',
    'admin_change', 'outage'])
$$;

reset role;
set local role procura_owner;
revoke create on schema ledger from procura_ledger;

-- True where a run asked for a tool that is a canary. Written with the decision: whoever dies before the
-- run is stopped leaves it to be found.
alter table procura.decision add column canary boolean;
create index decision_of_canary on procura.decision (tenant, instance) where canary;
