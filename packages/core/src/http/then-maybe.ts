import { type Awaitable, isPromise } from "../backend/backend.ts";

/** Calls `next` with a value and `about`: synchronously unless the value is a promise, so that a synchronous request creates none. */
export function thenMaybe<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U>;
export function thenMaybe<T, U, A>(value: Awaitable<T>, next: (value: T, about: A) => Awaitable<U>, about: A): Awaitable<U>;
export function thenMaybe<T, U, A>(value: Awaitable<T>, next: (value: T, about: A) => Awaitable<U>, about?: A): Awaitable<U> {
  return isPromise(value) ? later(value, next, about as A) : next(value, about as A);
}

/** Kept out of `thenMaybe`, which would otherwise allocate the closure's context even on the synchronous path. */
function later<T, U, A>(value: Promise<T>, next: (value: T, about: A) => Awaitable<U>, about: A): Promise<U> {
  return value.then((value) => next(value, about));
}
