/** Leaves a limiter with buckets, an eviction and a sweep behind, and nothing else to do. */

import { RateLimiter } from "@ratelimit/core";
import { BucketTable } from "@ratelimit/core/backend";
import { processClock } from "../../src/clock.ts";

const limiter = new RateLimiter({ rate: 5, period: "1h", backend: new BucketTable(3, processClock) });
for (const key of ["a", "b", "c", "d", "e"]) limiter.checkSync(key);
process.stdout.write("done");
