/** For targets that take no tokens of others: whoever asks for one is wrong. */
import type { Tokens } from '../../src/delivery/proxy/tokens.ts'

export const noToken = () => Promise.reject(new Error('no token is to be asked for'))

export const NO_TOKENS: Tokens = {
  tokenFor: noToken,
  check: () => Promise.resolve(),
  settled: () => Promise.resolve(),
}
