/** The library of a token, called in threads of their own: a token that takes its time holds up nobody. */
import { arch, endianness } from 'node:os'
import { initialization, ulong, readUlong } from './layout.ts'

/** Why a token cannot be used, for whoever configured it. */
export class TokenProblem extends Error {
  override readonly name = 'TokenProblem'
}

/** The token answered with this `CKR_…`, and not with what it was asked for. */
export class TokenFault extends Error {
  override readonly name = 'TokenFault'
  readonly code: number
  constructor(call: string, code: number) {
    super(`${call} answered 0x${code.toString(16)}`)
    this.code = code
  }
}

type Argument = Buffer | bigint | number | null
export interface Module {
  readonly addressOf: (buffer: Buffer) => bigint
  /** Buffers are handed over as they are, to be read or written. @throws TokenFault */
  call(name: keyof typeof FUNCTIONS, ...given: readonly Argument[]): Promise<void>
  /** Forgets every session: some libraries do not see otherwise that a token is back. */
  restart(): Promise<void>
}

const [AT, LONG, BYTE] = ['void *', 'unsigned long', 'uint8'] as const
/** Where each is in `CK_FUNCTION_LIST`, and its parameters. */
// prettier-ignore
const FUNCTIONS = {
  C_Initialize: [0, [AT]],
  C_Finalize: [1, [AT]],
  C_GetSlotList: [4, [BYTE, AT, AT]],
  C_GetTokenInfo: [6, [LONG, AT]],
  C_OpenSession: [12, [LONG, LONG, AT, AT, AT]],
  C_CloseSession: [13, [LONG]],
  C_Login: [18, [LONG, LONG, AT, LONG]],
  C_GetAttributeValue: [24, [LONG, LONG, AT, LONG]],
  C_FindObjectsInit: [26, [LONG, AT, LONG]],
  C_FindObjects: [27, [LONG, AT, LONG, AT]],
  C_FindObjectsFinal: [28, [LONG]],
  C_EncryptInit: [29, [LONG, AT, LONG]],
  C_Encrypt: [30, [LONG, AT, LONG, AT, AT]],
  C_DecryptInit: [33, [LONG, AT, LONG]],
  C_Decrypt: [34, [LONG, AT, LONG, AT, AT]],
  C_SignInit: [42, [LONG, AT, LONG]],
  C_Sign: [43, [LONG, AT, LONG, AT, AT]],
  C_GenerateKey: [58, [LONG, AT, AT, LONG, AT]],
  C_GenerateKeyPair: [59, [LONG, AT, AT, LONG, AT, LONG, AT, AT]],
} as const
const LAST = 59
const NOT_INITIALIZED = 0x190
const ALREADY_INITIALIZED = 0x191

/** Libraries have threads and handlers of their own: one that was loaded stays. */
const loaded = new Set<unknown>()

/** @throws TokenProblem when there is no such library, or nothing that could load it */
export async function loadModule(path: string): Promise<Module> {
  const ffi = await foreignFunctions()
  const list = functionList(ffi, path)
  const functions = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, [place, parameters]]) => {
      // The version comes first, and takes a whole word.
      return [name, ffi.decode(readUlong(list, place + 1), ffi.proto(LONG, parameters))]
    }),
  ) as Record<keyof typeof FUNCTIONS, Foreign>
  const call: Module['call'] = (name, ...given) =>
    new Promise((resolve, reject) => {
      const passed = given.map((it) => (Buffer.isBuffer(it) ? ffi.address(it) : it))
      functions[name].async(...passed, (error, code) => {
        // Named here, they are kept until the other thread is done with them.
        if (error !== null) reject(new TokenProblem(`${name} with ${String(given.length)} failed`))
        else if (code === 0) resolve()
        else reject(new TokenFault(name, code))
      })
    })
  const begin = () => call('C_Initialize', initialization()).catch(unless(ALREADY_INITIALIZED))
  await begin()
  return {
    ...{ addressOf: (buffer) => ffi.address(buffer), call },
    async restart() {
      await call('C_Finalize', null).catch(unless(NOT_INITIALIZED))
      await begin()
    },
  }
}

const unless = (fine: number) => (error: unknown) => {
  if (!(error instanceof TokenFault && error.code === fine)) throw error
}

/** @throws TokenProblem, also where the library answers with none: to look at that would end the process */
export function functionList(ffi: ForeignFunctions, path: string): Buffer {
  try {
    const library = ffi.load(path)
    loaded.add(library)
    const pointer = ulong()
    const code = Number(library.func('C_GetFunctionList', LONG, [AT])(ffi.address(pointer)))
    if (code !== 0) throw new TokenFault('C_GetFunctionList', code)
    if (readUlong(pointer) === 0n) throw new TypeError('C_GetFunctionList answered with nothing')
    return Buffer.from(ffi.view(readUlong(pointer), (LAST + 2) * 8))
  } catch (cause) {
    throw new TokenProblem(`${path} is not a PKCS #11 library that can be loaded here`, { cause })
  }
}

interface Foreign {
  async(...given: readonly [...Passed[], (error: unknown, code: number) => void]): void
}
type Passed = bigint | number | null

/** Those of `koffi` that are used, as they are used. */
export interface ForeignFunctions {
  load(path: string): {
    func(name: string, result: string, types: readonly string[]): (at: bigint) => number | bigint
  }
  proto(result: string, types: readonly string[]): object
  decode(pointer: bigint, type: object): Foreign
  view(pointer: bigint, octets: number): ArrayBuffer
  address(buffer: Buffer): bigint
}

/** Optional: whoever has no key in a token builds and runs without it. */
const FFI = { name: 'koffi', version: '3.3.4' }

async function foreignFunctions(): Promise<ForeignFunctions> {
  if (process.platform === 'win32' || endianness() !== 'LE' || !/64$/.test(arch())) {
    throw new TokenProblem('a key in a token needs Linux or macOS on 64 bits')
  }
  try {
    return (await import(FFI.name)) as ForeignFunctions
  } catch (cause) {
    const fix = `npm install ${FFI.name}@${FFI.version}`
    throw new TokenProblem(`a key in a token needs the package ${FFI.name}: ${fix}`, { cause })
  }
}
