import { type Awaitable, isPromise } from "../backend/backend.ts";
import { plainOptions, type Rules } from "../validation.ts";

/**
 * Wraps a function of the user's so that whatever it throws or rejects with is an `Error`. Frameworks treat a falsy error as success, and
 * Express treats `"route"` as a jump to the next handler or route, so either would bypass the limit.
 */
export function throwingErrors<A extends unknown[], T>(hook: (...args: A) => Awaitable<T>): (...args: A) => Awaitable<T> {
  return (...args) => {
    try {
      const answer = hook(...args);
      return isPromise(answer) ? Promise.resolve(answer).then(undefined, fail) : answer;
    } catch (thrown) {
      return fail(thrown);
    }
  };
}

/** A function in the options. */
export type Callback = (...args: unknown[]) => unknown;

/**
 * Copies options and wraps their functions: with `adapt`, then with {@link throwingErrors}. Returns non-objects unchanged for validation
 * to reject.
 */
export function withCallbacks<O>(options: O, rules: Rules, adapt: (callback: Callback) => Callback = (callback) => callback): O {
  if (typeof options !== "object" || options === null || Array.isArray(options)) return options;
  return Object.fromEntries(
    Object.entries(plainOptions(options, rules)).map(([option, value]) => [
      option,
      typeof value === "function" ? throwingErrors(adapt(value as Callback)) : value,
    ]),
  ) as O;
}

function fail(thrown: unknown): never {
  throw thrown instanceof Error
    ? thrown
    : new Error("An option's function or the backend threw something that is not an Error", { cause: thrown });
}
