/** Loads the package, uses a limiter, and prints how many of Node's crypto modules were loaded before and after a long key. */
import { ManualClock, RateLimiter } from "@ratelimit/core";
import { tableBackend } from "../support/backends.ts";

const limiter = new RateLimiter({ rate: 5, backend: tableBackend(new ManualClock()) });
limiter.checkSync("user:123");
const builtin = (process as unknown as { moduleLoadList: string[] }).moduleLoadList;
const before = builtin.filter((name) => /crypto/.test(name));
limiter.checkSync("k".repeat(2000));
const after = builtin.filter((name) => /crypto/.test(name));
process.stdout.write(JSON.stringify({ before: before.length, after: after.length }));
