/** Credential material, in a form that does not print. */

import { inspect } from 'node:util'

/** Credential material. Prints, logs and serialises as a placeholder; `reveal` is easy to find. */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
  }
  reveal(): string {
    return this.#value
  }
  toString(): string {
    return '[secret]'
  }
  toJSON(): string {
    return '[secret]'
  }
  [inspect.custom](): string {
    return '[secret]'
  }
}
