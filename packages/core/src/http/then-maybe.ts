import { type Awaitable, isPromise } from "../backend/backend.ts";

/** Goes on with a value, at once where it is there: a request that needs no promise makes none. `about` is handed on. */
export function thenMaybe<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U>;
export function thenMaybe<T, U, A>(value: Awaitable<T>, next: (value: T, about: A) => Awaitable<U>, about: A): Awaitable<U>;
export function thenMaybe<T, U, A>(value: Awaitable<T>, next: (value: T, about: A) => Awaitable<U>, about?: A): Awaitable<U> {
  return isPromise(value) ? later(value, next, about as A) : next(value, about as A);
}

/** Apart: where a closure is, each call pays for what it holds. */
function later<T, U, A>(value: Promise<T>, next: (value: T, about: A) => Awaitable<U>, about: A): Promise<U> {
  return value.then((value) => next(value, about));
}
