/** Runs a check that expects one token too many on one path. */
import { check } from "../../src/check.ts";
import { script } from "../../src/script.ts";

const publicStep = script.find(({ path }) => path === "/api/public")!;
const wrong = { ...publicStep, buckets: publicStep.buckets.map((bucket) => ({ ...bucket, tokens: bucket.tokens + 1 })) };
const isRight = await check({ servers: {}, keyPrefix: "ratelimit:", print: console.log, scripts: { each: [wrong], together: [] } });
process.exitCode = isRight ? 0 : 1;
