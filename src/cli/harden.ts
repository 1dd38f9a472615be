/** The built-ins, as they are now, for good: what a caller sends cannot become what every object has. */

/**
 * Not `RegExp` and not `Map` or `Set`: once their prototypes have changed in any way, V8 takes its slow
 * path for each match and each loop over one, seven and two times as slow.
 */
const BUILT_INS = [
  ...[Object, Function, Array, String, Number, Boolean, Symbol, BigInt, Date, Promise, ArrayBuffer],
  ...[Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError],
  ...[AggregateError, Object.getPrototypeOf(Uint8Array) as typeof Uint8Array, Uint8Array],
]

/** Freezes the prototypes of this thread. When every library is loaded: some add to them as they load. */
export function harden(): void {
  Reflect.deleteProperty(Object.prototype, '__proto__')
  for (const { prototype } of BUILT_INS) {
    if (isOverridden(prototype)) keepOverridable(prototype)
    Object.freeze(prototype)
  }
}

const isOverridden = (prototype: object) =>
  prototype === Object.prototype || prototype === Error.prototype || prototype instanceof Error

/**
 * An object that inherits a frozen member could not be assigned one of its own: a JSON object with a
 * member `constructor`, an error with another `name`. As an accessor, the inherited one lets it.
 */
function keepOverridable(prototype: object): void {
  for (const [key, { value, enumerable }] of Object.entries(
    Object.getOwnPropertyDescriptors(prototype) as Record<string, PropertyDescriptor>,
  )) {
    if (value === undefined) continue
    Object.defineProperty(prototype, key, {
      ...{ configurable: true, enumerable: enumerable === true, get: (): unknown => value },
      set(this: object, own: unknown) {
        Object.defineProperty(this, key, {
          ...{ configurable: true, enumerable: true, writable: true, value: own },
        })
      },
    })
  }
}
