/** The memory of another process, as somebody with a debugger sees it. */
import { open, readFile } from 'node:fs/promises'

const CHUNK = 16 * 1024 * 1024

/** Whether a text is anywhere in what the process may write to, in one or two octets a character. */
export async function memoryHolds(pid: number, text: string): Promise<boolean> {
  const wanted = [Buffer.from(text, 'latin1'), Buffer.from(text, 'utf16le')]
  const maps = await readFile(`/proc/${String(pid)}/maps`, 'utf8')
  const memory = await open(`/proc/${String(pid)}/mem`)
  try {
    for (const [, from = '', to = ''] of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
      const [begin, end] = [parseInt(from, 16), parseInt(to, 16)]
      // Pieces overlap by as much as a text may be cut in two by their edges.
      for (let place = begin; place < end; place += CHUNK) {
        const size = Math.min(CHUNK + 4 * text.length, end - place)
        const octets = await memory.read(Buffer.alloc(size), 0, size, place).then(
          ({ buffer, bytesRead }) => buffer.subarray(0, bytesRead),
          () => Buffer.alloc(0), // What is mapped and not there.
        )
        if (wanted.some((it) => octets.includes(it))) return true
      }
    }
    return false
  } finally {
    await memory.close()
  }
}
