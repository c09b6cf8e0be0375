import { getRequestListener } from "@hono/node-server";

const names = ["Request", "Response"] as const;

/** Puts the global `Request` and `Response` back when disposed. Hono's server for Node replaces them, and tests of a project share a process. */
export function keepGlobals(): Disposable {
  const kept = names.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name) as PropertyDescriptor] as const);
  return {
    [Symbol.dispose]() {
      for (const [name, descriptor] of kept) Object.defineProperty(globalThis, name, descriptor);
    },
  };
}

/** Replaces the global `Request` and `Response` with those of Hono's server for Node, until disposed. */
export function useHonoGlobals(): Disposable {
  const kept = keepGlobals();
  getRequestListener(() => new Response());
  return kept;
}
