import assert from "node:assert/strict";
import type { SyncBackend } from "@ratelimit/core";
import { BucketTable } from "@ratelimit/core/backend";
import type { AnyRequest, App, Serve } from "../http/app.ts";
import { route } from "../http/requirement.ts";
import type { RegisterTest } from "../register.ts";
import { type FuzzRequest, fuzzRequest } from "./requests.ts";
import { Wire } from "./wire.ts";

const seed = Number(process.env["FUZZ_SEED"] ?? Date.now()) | 0;
const requests = Number(process.env["FUZZ_REQUESTS"] ?? 12_000);

/** The number of concurrent connections, and of pipelined requests on each. */
const [wires, pipelined] = [16, 8];

/** Which proxy is trusted, and which key a request must get in that case. */
const setUps: readonly {
  readonly who: string;
  readonly app: Partial<App>;
  readonly options: object;
  readonly keyOf: (request: FuzzRequest) => string;
}[] = [
  { who: "no proxy", app: {}, options: { trust: false }, keyOf: () => "ip:127.0.0.1" },
  { who: "one proxy (by trust)", app: {}, options: { trust: 1 }, keyOf: ({ forwarded = "ip:127.0.0.1" }) => forwarded },
  {
    who: "one proxy (by the framework)",
    app: { proxied: true },
    options: {},
    keyOf: ({ forwarded = "ip:127.0.0.1" }) => forwarded,
  },
];

/**
 * Registers tests that send generated requests (X-Forwarded-For, paths, methods, headers) to an adapter over raw connections. Each must
 * be answered, none with a 5xx, and each client must have one bucket, whatever the spelling of its address.
 *
 * `test` is that of Vitest, of `node:test` or of Jest. `FUZZ_REQUESTS` in the environment sets the total over all tests (default 12,000),
 * and `FUZZ_SEED` repeats a run.
 */
export function fuzzSuite(test: RegisterTest, serve: Serve): void {
  for (const { who, app, options, keyOf } of setUps)
    test(`generated requests, trusting ${who}: all are answered, none with a 5xx, and each client has one bucket`, async () => {
      const { backend, cost, keys } = recording();
      const limiter = { rate: 1_000_000, period: 1, backend, cost, excludePaths: ["/health"], ...options };
      const plain = { ...bare, ...app };
      const [limited, unlimited] = [await serve({ ...plain, limiters: [{ call: "rateLimit", options: limiter }] }), await serve(plain)];
      const wrong: string[] = [];
      await inBatches(limited.port, Math.ceil(requests / setUps.length), async (request, status) => {
        const key = keys.get(request.number);
        if (key !== undefined && key !== keyOf(request)) wrong.push(`${key} instead of ${keyOf(request)}: ${JSON.stringify(request.text)}`);
        else if (status >= 500 && !(await fails(unlimited.port, request))) wrong.push(`${status}: ${JSON.stringify(request.text)}`);
      });
      await Promise.all([limited.close(), unlimited.close()]);
      backend.close();
      assert.deepEqual(wrong.slice(0, 5), [], `repeat it with FUZZ_SEED=${seed} in the environment`);
      assert.ok(keys.size > requests / setUps.length / 2, `only ${keys.size} requests were counted`);
    }, 300_000);
}

const bare: App = {
  proxied: false,
  fields: {},
  early: () => {},
  limiters: [],
  routes: ["/", "/health", "/items/:id"].map((path) => route(path)),
  mount: "",
};

/** Returns a backend that records the key of each request under its `X-Case`, which the cost function reads just before each take. */
function recording(): { backend: SyncBackend; cost: (req: AnyRequest) => number; keys: ReadonlyMap<number, string> } {
  const table = new BucketTable(100_000, performance);
  const keys = new Map<number, string>();
  let asking = -1;
  return {
    keys,
    cost({ headers }) {
      asking = Number(headers["x-case"]);
      return 1;
    },
    backend: {
      inProcess: true,
      take(scope, key, cost) {
        keys.set(asking, key);
        return table.take(scope, key, cost);
      },
      adjust: (scope, key, tokens) => table.adjust(scope, key, tokens),
      block: (scope, key, ms) => table.block(scope, key, ms),
      reset: (scope, key) => table.reset(scope, key),
      close: () => table.close(),
    },
  };
}

/** Sends `count` generated requests, and passes each to `look` with its status, which is `Infinity` if it got no answer. */
async function inBatches(port: number, count: number, look: (request: FuzzRequest, status: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    const wire = new Wire(port);
    while (next < count) {
      const first = next;
      next += pipelined;
      const batch = Array.from({ length: Math.min(pipelined, count - first) }, (_, i) => fuzzRequest(seed, first + i));
      const statuses = await wire.exchange(batch);
      for (const [i, request] of batch.entries()) await look(request, statuses[i] ?? Number.POSITIVE_INFINITY);
    }
    wire.close();
  };
  await Promise.all(Array.from({ length: wires }, work));
}

/** Whether the framework fails on its own: Koa, for example, does on the target `/\\%@#`. */
async function fails(port: number, request: FuzzRequest): Promise<boolean> {
  const wire = new Wire(port);
  const [status = Number.POSITIVE_INFINITY] = await wire.exchange([request]);
  wire.close();
  return status >= 500;
}
