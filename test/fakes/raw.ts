/** A request written by hand, byte for byte: for what no client would send. */
import { connect } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: Readonly<Record<string, unknown>>
}

/** Sends, and reads until the server has closed or the answer is whole. */
export async function sendRaw(port: number, request: string | Uint8Array): Promise<RawAnswer> {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let received = ''
    const done = () => {
      socket.destroy()
      resolve(received)
    }
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk
      if (isWhole(received)) done()
    })
    socket.on('close', done).on('error', reject)
    socket.write(request)
  })
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const isJson = /^content-type: \S*json/im.test(head)
  return {
    status: Number(head.split(' ')[1]),
    head,
    body: (isJson && body !== '' ? JSON.parse(body) : {}) as RawAnswer['body'],
  }
}

function isWhole(received: string): boolean {
  const [head = '', body] = received.split('\r\n\r\n')
  const length = /^content-length: (\d+)/im.exec(head)?.[1]
  return body !== undefined && length !== undefined && Buffer.byteLength(body) >= Number(length)
}

export const head = (line: string, headers: readonly string[] = []) =>
  [`${line} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, '', ''].join('\r\n')
