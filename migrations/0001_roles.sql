-- A role for each side, so that what a part may not do, its database connection cannot.
-- Roles belong to the cluster: each is made only where it is absent, and joined by whoever installs.
do $$
declare
  role_name text;
  -- To be a member was enough until PostgreSQL 16, which has a privilege of its own for it.
  joined text := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
begin
  foreach role_name in array array[
    'procura_owner', 'procura_front', 'procura_pdp', 'procura_cdp', 'procura_reaper',
    'procura_ledger', 'procura_signer', 'procura_verify'
  ] loop
    if not exists (select from pg_catalog.pg_roles where rolname = role_name) then
      begin
        execute format('create role %I nologin', role_name);
      exception when duplicate_object or unique_violation then
        null; -- another installation on this cluster made it meanwhile
      end;
    end if;
    if not pg_catalog.pg_has_role(current_user, role_name, joined) then
      execute format('grant %I to current_user', role_name);
    end if;
  end loop;
  execute format('grant create on database %I to procura_owner', current_database());
end $$;

revoke all on schema public from public;
grant usage, create on schema procura to procura_owner;
grant usage on schema procura
  to procura_front, procura_pdp, procura_cdp, procura_reaper, procura_signer, procura_verify;
