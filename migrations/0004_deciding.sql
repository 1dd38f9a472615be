-- What deciding reads and writes: policy sets, budgets, approvals, decisions.
set local role procura_owner;

-- Immutable; the one with the highest epoch is in force.
create table procura.policy_set (
  tenant       text        not null,
  epoch        bigint      not null,
  hash         text        not null,
  schema_hash  text        not null,
  files        jsonb       not null, -- name -> text
  published_at timestamptz not null,
  published_by text        not null,
  event_id     text        not null,
  primary key (tenant, epoch)
);
grant select, insert on procura.policy_set to procura_front;
grant select on procura.policy_set to procura_pdp;

create table procura.budget (
  tenant  text   not null,
  account text   not null, -- con_…, or the jti of a session with a tighter bound of its own
  key     text   not null,
  type    text   not null check (type in ('max_subtree', 'max_lifetime')),
  bound   bigint not null check (bound between 0 and 9007199254740991),
  used    bigint not null default 0 check (used between 0 and bound),
  primary key (tenant, account, key, type)
);
grant select, insert on procura.budget to procura_front;
grant select, update (used) on procura.budget to procura_pdp;

-- What each decision took, so that it can be given back once, by the one function that may.
create table procura.spent (
  tenant   text    not null,
  decision text    not null,
  account  text    not null,
  key      text    not null,
  type     text    not null,
  amount   bigint  not null check (amount >= 0),
  refunded boolean not null default false,
  primary key (tenant, decision, account, key, type)
);
grant select, insert on procura.spent to procura_pdp;

create table procura.approval (
  tenant         text        not null,
  id             text        not null,
  status         text        not null
    check (status in ('pending', 'approved', 'denied', 'expired', 'cancelled', 'failed')),
  binding_hash   text        not null,
  asked          jsonb       not null, -- rules, of, level, within_seconds
  agent          text        not null,
  sponsor        text        not null,
  consent        text        not null,
  decision       text        not null,
  shown          jsonb       not null,
  justification  text,
  created_at     timestamptz not null,
  expires_at     timestamptz not null check (isfinite(expires_at)),
  approver       text,
  decided_at     timestamptz,
  approved_until timestamptz,
  evidence       text,
  consumed_by    text,
  primary key (tenant, id),
  check ((status = 'approved') <= (approver is not null and approved_until is not null)),
  check (consumed_by is null or status = 'approved')
);
-- People are asked once for the same call.
create unique index approval_open_once on procura.approval (tenant, agent, binding_hash)
  where status = 'pending';
create unique index approval_spent_once on procura.approval (tenant, consumed_by)
  where consumed_by is not null;
create index approval_by_status on procura.approval (tenant, status, created_at);
grant select, update (status, approver, decided_at, approved_until, evidence)
  on procura.approval to procura_front;
grant select, insert, update (consumed_by) on procura.approval to procura_pdp;

create table procura.decision (
  tenant     text        not null,
  id         text        not null,
  at         timestamptz not null,
  face       text        not null,
  answer     text        not null check (answer in ('allow', 'ask', 'deny', 'none')),
  sponsor    text        not null,
  agent      text        not null,
  instance   text, -- null where a gateway asked
  consent    text        not null,
  credential text,
  approval   text,
  event_id   text        not null,
  snapshot   text, -- id of the sealed payload
  primary key (tenant, id)
);
create index decision_by_agent on procura.decision (tenant, agent, at);
grant select, insert on procura.decision to procura_pdp;
grant select on procura.decision to procura_front;
