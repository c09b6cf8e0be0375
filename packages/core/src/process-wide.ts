/**
 * Returns a value that all copies of this package in the process share. A process has several if it loads both the ES modules and the
 * CommonJS build, or if two of its dependencies bring different versions: raise the number in `name` when the shape of the value changes.
 */
export function processWide<Value>(name: string, make: () => Value): Value {
  const key = Symbol.for(`@ratelimit/core/${name}`);
  const shared = globalThis as { [key: symbol]: Value | undefined };
  shared[key] ??= make();
  return shared[key];
}
