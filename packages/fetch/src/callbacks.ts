import type { Callback } from "@ratelimit/core/adapter";
import { FetchExchange } from "./exchange.ts";

/** Options whose callbacks get what the platform passes to a handler, after their own arguments. */
export type WithContext<O, C extends unknown[]> = { [K in keyof O]: Appended<O[K], C> };

type Appended<F, C extends unknown[]> = F extends (...args: infer A) => infer R ? (...args: [...A, ...C]) => R : F;

/** Makes a callback of the options one that takes an exchange, which is what core passes instead of the request. */
export function forExchange(callback: Callback): Callback {
  return (...args) => {
    const exchange = args.find((arg) => arg instanceof FetchExchange);
    return callback(...args.map((arg) => (arg === exchange ? exchange?.request : arg)), ...(exchange?.context ?? []));
  };
}
