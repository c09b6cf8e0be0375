import { type Awaitable, isPromise } from "../backend/backend.ts";
import { plainOptions, type Rules } from "../validation.ts";

/**
 * The same function, but whatever it throws or rejects with is an Error: frameworks take a falsy value for success, and Express
 * takes `"route"` for a way round the limit.
 */
export function throwingErrors<A extends unknown[], T>(hook: (...args: A) => Awaitable<T>): (...args: A) => Awaitable<T> {
  return (...args) => {
    try {
      const answer = hook(...args);
      return isPromise(answer) ? answer.then(undefined, fail) : answer;
    } catch (thrown) {
      return fail(thrown);
    }
  };
}

/** Copies options, and makes their functions throw nothing but errors. What is not options at all is left to the check of options. */
export function withCallbacks<O>(options: O, rules: Rules): O {
  if (typeof options !== "object" || options === null || Array.isArray(options)) return options;
  return Object.fromEntries(
    Object.entries(plainOptions(options, rules)).map(([option, value]) => [
      option,
      typeof value === "function" ? throwingErrors(value as () => unknown) : value,
    ]),
  ) as O;
}

function fail(thrown: unknown): never {
  throw thrown instanceof Error ? thrown : new Error("A function among the options threw what is no Error", { cause: thrown });
}
