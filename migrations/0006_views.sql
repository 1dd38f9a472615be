-- Stable views for auditors and for programs that check us from outside.
set local role procura_owner;

create view procura.v_ledger as
  select tenant, index as seq, event_id, event_type, entry, hash from ledger.leaf;
create view procura.v_decision as
  select tenant, id, at, face, answer, sponsor, agent, instance, consent, credential, approval, event_id
  from procura.decision;
create view procura.v_credential as
  select l.tenant, l.id, l.decision_id, l.state, l.connector, l.target, l.downstream_name, l.sponsor,
         l.agent, l.instance, l.consent, l.issued_at, l.expires_at, l.updated_at, l.ended_at,
         l.end_reason, l.confirmed_dead_at, l.event_id, d.approval as approval_id
  from procura.lease l
  left join procura.decision d on d.tenant = l.tenant and d.id = l.decision_id;
create view procura.v_approval as
  select tenant, id, status, binding_hash, agent, sponsor, consent, decision, created_at, expires_at,
         approver, decided_at, approved_until, consumed_by
  from procura.approval;
create view procura.v_revocation as
  select tenant, id, target_kind, target_id, cause, counts, at, event_id from procura.revocation;
create view procura.v_idempotency as
  select tenant, caller, route, key, fingerprint, created_at from procura.request_key;
grant select on procura.v_ledger, procura.v_decision, procura.v_credential, procura.v_approval,
  procura.v_revocation, procura.v_idempotency to procura_verify;
