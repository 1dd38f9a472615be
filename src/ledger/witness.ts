/**
 * The smallest witness: an append-only file outside the database, on another disk or host, that gets
 * the newest checkpoint. It finds a database that was set back; it cannot find a dishonest broker.
 *
 * One line is one checkpoint, `{"checkpoint":"<note>"}`, as in an export. A crash may leave a line
 * torn: it is skipped, and what follows it begins on a line of its own.
 */
import { open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { canonical, isObject, parseTrusted } from '../domain/json.ts'
import { bodyOf, type Checkpoint, NoteError, readCheckpoint } from './checkpoint.ts'

/** Read from the end of the file: more than a hundred checkpoints. */
const TAIL_OCTETS = 65_536

/**
 * Writes a checkpoint down, durably, if it is larger than all before; says whether it was. A replica
 * may come late with a smaller one, which is no news. Throws `NoteError` if it is another tree of the
 * size that was seen last (the log forked), or another log.
 */
export async function appendCheckpoint(file: string, note: string): Promise<boolean> {
  const checkpoint = readCheckpoint(bodyOf(note))
  const handle = await open(file, 'a+', 0o640)
  try {
    const tail = await tailOf(handle)
    const newest = newestOf(tail)
    if (newest && newest.origin !== checkpoint.origin) {
      throw new NoteError('the file witnesses another log')
    }
    if (newest && newest.size === checkpoint.size && !newest.root.equals(checkpoint.root)) {
      throw new NoteError('the witness has seen another tree of this size')
    }
    if (newest && newest.size >= checkpoint.size) return false
    const line = `${canonical({ checkpoint: note })}\n`
    await handle.appendFile(tail === '' || tail.endsWith('\n') ? line : `\n${line}`)
    await handle.sync()
    if (tail === '') await syncDirectory(dirname(file))
    return true
  } finally {
    await handle.close()
  }
}

/**
 * The largest checkpoint on file, `null` if there is none yet. Not verified: open it with the log's
 * keys. Throws `NoteError` if the file has lines and none of them is a checkpoint.
 */
export async function newestCheckpoint(file: string): Promise<string | null> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  try {
    return newestOf(await tailOf(handle))?.note ?? null
  } finally {
    await handle.close()
  }
}

type Seen = Checkpoint & { readonly note: string }

async function tailOf(handle: FileHandle): Promise<string> {
  const { size } = await handle.stat()
  const start = Math.max(0, size - TAIL_OCTETS)
  const { buffer, bytesRead } = await handle.read(
    Buffer.alloc(size - start),
    0,
    size - start,
    start,
  )
  return buffer.toString('utf8', 0, bytesRead)
}

/** Two processes may write at once, so the last line need not be the largest. */
function newestOf(tail: string): Seen | null {
  const lines = tail.split('\n').slice(0, -1)
  const seen = lines.flatMap(seenIn)
  if (lines.length > 0 && seen.length === 0) throw new NoteError('the file has no checkpoint')
  return seen.reduce<Seen | null>((a, b) => (a === null || b.size > a.size ? b : a), null)
}

function seenIn(line: string): Seen[] {
  try {
    const value = parseTrusted(line)
    const note = isObject(value) ? value['checkpoint'] : null
    return typeof note === 'string' ? [{ ...readCheckpoint(bodyOf(note)), note }] : []
  } catch (error) {
    // Torn by a crash, or the tail begins inside it.
    if (error instanceof SyntaxError || error instanceof NoteError) return []
    throw error
  }
}

/** A new file is there after a crash only when its directory says so. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
