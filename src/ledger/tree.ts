/** The stored tree: leaves and the complete subtrees above them, found by place. */
import type { Pool, PoolClient } from 'pg'
import type { FetchNodes, Hash, TreeNode } from './merkle.ts'

type Queryable = Pick<Pool | PoolClient, 'query'>

/** Hashes by place, in the order asked for; throws when one is missing. */
export function nodesOf(db: Queryable, tenant: string): FetchNodes {
  return async (places) => {
    if (places.length === 0) return []
    const { rows } = await db.query<{ hash: Buffer }>({
      name: 'ledger_nodes',
      text: `select coalesce(leaf.hash, node.hash) as hash
             from rows from (jsonb_to_recordset($2) as (level int, index bigint))
               with ordinality as place (level, index, nth)
             left join ledger.leaf on place.level = 0 and leaf.tenant = $1 and leaf.index = place.index
             left join ledger.node on place.level > 0 and node.tenant = $1
               and node.level = place.level and node.index = place.index
             where coalesce(leaf.hash, node.hash) is not null
             order by nth`,
      values: [tenant, JSON.stringify(places)],
    })
    if (rows.length !== places.length) throw new Error('ledger: the stored tree has missing nodes')
    return rows.map(({ hash }) => hash)
  }
}

/** Leaf hashes from `start` on, at most `limit`. */
export async function leafHashes(
  db: Queryable,
  tenant: string,
  { start, limit }: { readonly start: number; readonly limit: number },
): Promise<Hash[]> {
  const { rows } = await db.query<{ hash: Buffer }>({
    name: 'ledger_leaf_hashes',
    text: `select hash from ledger.leaf where tenant = $1 and index >= $2 order by index limit $3`,
    values: [tenant, start, limit],
  })
  return rows.map(({ hash }) => hash)
}

export async function storeNodes(
  db: Queryable,
  tenant: string,
  nodes: readonly TreeNode[],
): Promise<void> {
  if (nodes.length === 0) return
  const rows = nodes.map(({ level, index, hash }) => ({
    ...{ level, index },
    hash: Buffer.from(hash).toString('hex'),
  }))
  await db.query({
    name: 'ledger_store_nodes',
    text: `insert into ledger.node (tenant, level, index, hash)
           select $1, level, index, decode(hash, 'hex')
           from jsonb_to_recordset($2) as node (level int, index bigint, hash text)`,
    values: [tenant, JSON.stringify(rows)],
  })
}
