-- Chains: the roots that were given out, and the hops that their holders signed.
grant create on schema ledger to procura_ledger;
set local role procura_ledger;

create or replace function ledger.append_registered(log text, first bigint, entries text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select ledger.append(log, first, entries, array[
    'log_opened', 'agent_registered', 'agent_retired', 'consent_granted', 'session_issued', 'root_issued',
    'delegation_registered', 'approval_decided', 'revocation', 'freeze', 'refusals', 'admin_change',
    'outage'])
$$;

reset role;
set local role procura_owner;
revoke create on schema ledger from procura_ledger;

-- A root opens no route. It is on record so that a hop can name it as its parent without showing it
-- again. The tokens themselves are sealed payloads, under their hashes.
create table procura.root (
  tenant        text        not null,
  token_hash    text        not null,
  jti           text        not null,
  consent       text        not null,
  sponsor       text        not null,
  agent         text        not null,
  instance      text        not null,
  jkt           text        not null,
  issued_at     timestamptz not null,
  expires_at    timestamptz not null check (isfinite(expires_at)),
  event_id      text        not null,
  primary key (tenant, token_hash),
  unique (tenant, jti),
  foreign key (tenant, consent) references procura.consent (tenant, id),
  foreign key (tenant, instance) references procura.instance (tenant, id)
);
create index root_by_consent on procura.root (tenant, consent);
create index root_by_instance on procura.root (tenant, instance);
grant select, insert on procura.root to procura_front;

-- A hop, with all that stands above it: whoever acts under it is looked up with one row, however deep.
create table procura.delegation (
  tenant        text        not null,
  id            text        not null,
  token_hash    text        not null,
  depth         int         not null check (depth between 1 and 7),
  root          text        not null,
  parent        text        not null,
  consent       text        not null,
  sponsor       text        not null,
  agent         text        not null, -- who received it
  jkt           text        not null,
  purpose       text        not null,
  effective     jsonb       not null, -- scopes, purpose, constraints, del_max_depth: after every narrowing
  hops          jsonb       not null, -- root first, itself last
  accounts      jsonb       not null, -- whose totals an act under it adds to, in their order
  path          text[]      not null, -- delegations, itself the last
  agents        text[]      not null, -- of every hop, the root's first
  keys          text[]      not null, -- thumbprints, as are the agents
  registered_at timestamptz not null,
  expires_at    timestamptz not null check (isfinite(expires_at)),
  event_id      text        not null,
  primary key (tenant, id),
  unique (tenant, token_hash),
  foreign key (tenant, root) references procura.root (tenant, token_hash),
  foreign key (tenant, consent) references procura.consent (tenant, id),
  foreign key (tenant, agent) references procura.agent (tenant, id)
);
create index delegation_by_consent on procura.delegation (tenant, consent);
create index delegation_by_agent on procura.delegation (tenant, agent);
create index delegation_by_root on procura.delegation (tenant, root);
create index delegation_under on procura.delegation using gin (path);
create index delegation_through on procura.delegation using gin (agents);
create index delegation_with_key on procura.delegation using gin (keys);
grant select, insert on procura.delegation to procura_front;
grant select on procura.delegation to procura_pdp;
grant select (tenant, id, depth, root, path, agents, keys) on procura.delegation
  to procura_cdp, procura_reaper;

-- The model that a run last said it is on, or that its assertion attests.
alter table procura.instance add column model jsonb;
grant update (model) on procura.instance to procura_front;
grant select (tenant, id, agent, jkt, model) on procura.instance to procura_pdp;

-- The hop that a lease rests on; null where the consenting agent acts by itself.
alter table procura.lease add column delegation text;
create index lease_by_delegation on procura.lease (tenant, delegation) where delegation is not null;
