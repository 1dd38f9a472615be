/** A database to guard, for trying things out: a shop's orders, and the roles that policies/tools name. */
import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { targetPlan } from '../../delivery/connectors/postgres/plan.ts'
import { scramVerifier } from '../../delivery/connectors/postgres/scram.ts'
import { Secret } from '../../domain/secret.ts'

const ADMIN = 'orders_admin'

/** Nobody logs in with these; a login joins those that its one call needs. */
const GROUPS = [
  ...['orders_read', 'orders_write', 'orders_owner', 'customers_read'],
  ...['archive_read', 'archive_write', 'payroll_read'],
]

export interface Orders {
  readonly host: string
  readonly port: number
  readonly database: string
  /** What the broker makes and ends logins with: its own login, no superuser. */
  readonly admin: { readonly username: string; readonly password: Secret }
  readonly groups: readonly string[]
}

/** Roles belong to the whole server: a second shop on it has names of its own, by their ending. */
export interface Naming {
  readonly database: string
  readonly ending: string
}

/**
 * Makes what is missing of it on this server, and gives the admin a new password.
 *
 * @param serverUrl may create databases and roles
 */
export async function prepareOrders(
  serverUrl: string,
  { database, ending }: Naming = { database: 'orders', ending: '' },
): Promise<Orders> {
  const password = new Secret(randomBytes(24).toString('base64url'))
  const admin = { username: ADMIN + ending, password }
  const groups = GROUPS.map((group) => group + ending)
  const plan = targetPlan({
    ...{ adminUser: admin.username, verifier: await scramVerifier(password) },
    ...{ groupRoles: groups, database },
  })
  await withClient(serverUrl, async (server) => {
    const { rowCount } = await server.query(EXISTS, [database])
    if (rowCount === 0) await server.query(`create database ${database}`)
  })
  const own = new URL(serverUrl)
  own.pathname = `/${database}`
  await withClient(own.href, async (orders) => {
    await orders.query(plan)
    await orders.query(shopSql(ending))
    await orders.query(`revoke all on database ${database} from public`)
    await orders.query(`grant connect on database ${database} to ${admin.username}`)
  })
  const { hostname: host, port } = own
  return { host, port: Number(port || 5432), database, admin, groups }
}

const EXISTS = 'select from pg_database where datname = $1'

const shopSql = (ending: string) => `
begin;
create table if not exists customers (id int primary key, name text not null, city text not null);
create table if not exists orders (
  id int primary key, customer_id int not null references customers, total numeric(10, 2) not null,
  placed_on date not null);
create table if not exists order_items (
  order_id int not null references orders, item text not null, amount int not null,
  primary key (order_id, item));
create table if not exists orders_archive (
  id int primary key, customer_id int not null, total numeric(10, 2) not null, placed_on date not null);
create table if not exists payroll (person text primary key, salary numeric(10, 2) not null);

insert into customers
  select n, 'Customer ' || n, (array['Lisbon', 'Oslo', 'Lyon', 'Graz'])[1 + n % 4]
  from generate_series(1, 57) n on conflict do nothing;
insert into orders
  select n, 1 + n % 57, 5 + (n * 37 % 900) / 10.0, date '2026-01-01' + n % 300
  from generate_series(1, 412) n on conflict do nothing;
insert into order_items
  select n, (array['tea', 'coffee', 'sugar'])[1 + n % 3], 1 + n % 5
  from generate_series(1, 412) n on conflict do nothing;
insert into orders_archive
  select n, 1 + n % 57, 10, date '2019-01-01' + n % 300
  from generate_series(1, 90) n on conflict do nothing;
insert into payroll values ('ana', 5100), ('ben', 4900), ('kim', 6400) on conflict do nothing;

alter table orders owner to orders_owner${ending};
alter table order_items owner to orders_owner${ending};
alter table orders_archive owner to orders_owner${ending};
grant select on orders, order_items to orders_read${ending};
grant insert, update, delete on orders, order_items to orders_write${ending};
grant select on customers to customers_read${ending};
grant select on orders_archive to archive_read${ending};
grant insert, update, delete on orders_archive to archive_write${ending};
grant select on payroll to payroll_read${ending};
commit`

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'procura-dev' })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
