/** A process of the tests that wraps anew, one row a batch, and says so; it is killed at some point. */
import { fileKeyStore } from '../../src/delivery/key-store.ts'
import { rewrapSecrets } from '../../src/delivery/rewrap.ts'
import { createPool } from '../../src/db/connect.ts'
import { Secret } from '../../src/domain/secret.ts'

/** It never comes to its end, however late it is killed. */
const LAST = 40
const [url = '', seal = ''] = process.argv.slice(2)
const pool = createPool({ url, role: 'procura_owner', max: 1, name: 'rewrap' })
await rewrapSecrets({
  ...{ tenant: 'main', pool, keys: fileKeyStore(new Secret(seal)), batch: 1 },
  progress(done) {
    process.stdout.write(`${String(done)}\n`)
    if (done === LAST) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  },
})
await pool.end()
