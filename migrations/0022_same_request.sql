-- A proof is good for one request; a request that names itself by a key may come again, and shows the same proof.
set local role procura_owner;

alter table procura.used_proof add column used_by text;
