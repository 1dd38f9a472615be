-- Who there is: people, agents, instances; what was consented; what was stopped.
set local role procura_owner;

-- Counters that a decision carries: they rise with each policy set, and with each stop.
create table procura.epoch (
  tenant text   not null,
  kind   text   not null check (kind in ('policy', 'revocation')),
  value  bigint not null check (value >= 0),
  primary key (tenant, kind)
);
grant select, insert, update (value) on procura.epoch to procura_front;
grant select on procura.epoch to procura_pdp, procura_cdp, procura_reaper;

create table procura.person (
  tenant  text        not null,
  id      text        not null,
  issuer  text        not null,
  subject text        not null,
  display text,
  roles   text[]      not null,
  groups  text[]      not null,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (tenant, id),
  unique (tenant, issuer, subject)
);
grant select, insert, update (display, roles, groups, seen_at) on procura.person to procura_front;
grant select (tenant, id, roles, groups) on procura.person to procura_pdp;

create table procura.agent (
  tenant       text        not null,
  id           text        not null,
  sponsor      text        not null,
  name         text        not null,
  description  text,
  workload     jsonb       not null,
  workload_key text        not null, -- issuer and subject, or the key's thumbprint
  status       text        not null check (status in ('active', 'retired')),
  created_at   timestamptz not null,
  event_id     text        not null,
  primary key (tenant, id),
  foreign key (tenant, sponsor) references procura.person (tenant, id)
);
create unique index agent_workload_once on procura.agent (tenant, workload_key)
  where status = 'active';
create index agent_by_sponsor on procura.agent (tenant, sponsor);
grant select, insert, update (status) on procura.agent to procura_front;
grant select on procura.agent to procura_pdp;

create table procura.instance (
  tenant     text        not null,
  id         text        not null,
  agent      text        not null,
  jkt        text        not null,
  first_seen timestamptz not null,
  primary key (tenant, id),
  unique (tenant, jkt),
  foreign key (tenant, agent) references procura.agent (tenant, id)
);
grant select, insert on procura.instance to procura_front;

-- What may be presented once, or by one key: DPoP proofs, assertion ids, assertions.
create table procura.used_proof (
  tenant     text        not null,
  key        text        not null,
  expires_at timestamptz not null check (isfinite(expires_at)),
  primary key (tenant, key)
);
create index used_proof_by_expiry on procura.used_proof (expires_at);
grant select, insert, delete on procura.used_proof to procura_front;

create table procura.assertion (
  tenant     text        not null,
  hash       text        not null,
  jkt        text        not null,
  expires_at timestamptz not null check (isfinite(expires_at)),
  primary key (tenant, hash)
);
create index assertion_by_expiry on procura.assertion (expires_at);
grant select, insert, delete on procura.assertion to procura_front;

create table procura.consent (
  tenant       text        not null,
  id           text        not null,
  sponsor      text        not null,
  agent        text        not null,
  terms        jsonb       not null,
  terms_hash   text        not null,
  consent_jwt  text        not null,
  max_uses     bigint      not null check (max_uses > 0),
  created_at   timestamptz not null,
  expires_at   timestamptz not null check (isfinite(expires_at)),
  withdrawn_at timestamptz,
  event_id     text        not null,
  primary key (tenant, id),
  foreign key (tenant, sponsor) references procura.person (tenant, id),
  foreign key (tenant, agent) references procura.agent (tenant, id)
);
create index consent_by_agent on procura.consent (tenant, agent);
create index consent_by_sponsor on procura.consent (tenant, sponsor);
grant select, insert, update (withdrawn_at) on procura.consent to procura_front;
grant select on procura.consent to procura_pdp;

-- What no longer counts, for ever. A stop is looked up by the path of what rests on it.
create table procura.stop (
  tenant     text        not null,
  kind       text        not null check (kind in ('sponsor', 'agent', 'instance', 'consent', 'credential')),
  id         text        not null,
  epoch      bigint      not null,
  revocation text        not null,
  at         timestamptz not null,
  primary key (tenant, kind, id)
);
grant select, insert on procura.stop to procura_front;
grant select on procura.stop to procura_pdp, procura_cdp, procura_reaper;

create table procura.revocation (
  tenant      text        not null,
  id          text        not null,
  target_kind text        not null,
  target_id   text        not null,
  cause       text        not null,
  counts      jsonb       not null,
  at          timestamptz not null,
  event_id    text        not null,
  primary key (tenant, id),
  unique (tenant, target_kind, target_id)
);
grant select, insert on procura.revocation to procura_front;

-- What was answered under an Idempotency-Key; never a secret.
create table procura.request_key (
  tenant      text        not null,
  caller      text        not null,
  route       text        not null,
  key         text        not null,
  fingerprint text        not null,
  answer      jsonb       not null,
  created_at  timestamptz not null default clock_timestamp(),
  primary key (tenant, caller, route, key)
);
create index request_key_by_age on procura.request_key (tenant, created_at);
grant select, insert on procura.request_key to procura_front, procura_pdp, procura_cdp;
grant delete on procura.request_key to procura_front; -- of what is older than a day

-- What identifies or quotes people, and the inputs that were decided on: encrypted, each under a key
-- of its own, so that it can be erased while the log stands.
create table procura.sealed_payload (
  tenant      text        not null,
  id          text        not null,
  wrapped_key bytea       not null,
  nonce       bytea       not null,
  ciphertext  bytea       not null,
  created_at  timestamptz not null default clock_timestamp(),
  primary key (tenant, id)
);
grant insert on procura.sealed_payload to procura_front, procura_pdp, procura_cdp, procura_reaper;
grant select on procura.sealed_payload to procura_front;
