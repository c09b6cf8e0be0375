import { type Awaitable, isPromise } from "../backend.ts";

/** Goes on with a value, at once where it is there: a request that needs no promise makes none. */
export function andThen<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return isPromise(value) ? value.then(next) : next(value);
}
