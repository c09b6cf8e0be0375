import { prove } from "../bench.ts";
import { proofRule } from "../memory/station.ts";
import type { Answers } from "../worker.ts";
import type { HttpRule, LimiterId } from "./limiters.ts";
import { type Framework, nameOf, serve } from "./servers.ts";

export interface Setup {
  readonly framework: Framework;
  readonly limiter: LimiterId;
  readonly refused: boolean;
  readonly redis?: HttpRule["redis"];
}

/** All requests come from one address, so there is one key. Its bucket never runs out, or has one token that does not refill. */
function ruleOf({ refused, redis }: Setup): HttpRule {
  const rule = refused
    ? { rate: 1, periodMs: 3_600_000, burst: 1, windowMs: 3_600_000, keys: 1 }
    : { rate: 60_000, periodMs: 60_000, burst: 100_000_000, windowMs: 3_600_000, keys: 1 };
  return { ...rule, ...(redis && { redis }) };
}

export async function open(setup: Setup): Promise<Answers> {
  const { framework, limiter, redis } = setup;
  if (limiter !== "none") await proveServer(framework, limiter, { ...proofRule, ...(redis && { redis }) });
  const { port } = await serve[framework](limiter, ruleOf(setup));
  return {
    prove: () => {},
    port: () => port,
    /** Returns the CPU time of this process so far, in µs. */
    cpu: () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
  };
}

/** Makes a limiter prove itself in a server. */
export async function proveServer(framework: Framework, limiter: LimiterId, rule: HttpRule): Promise<void> {
  const server = await serve[framework](limiter, rule);
  await prove(nameOf(framework, limiter), async () => {
    const { status, body } = await fetch(`http://127.0.0.1:${server.port}/`);
    await body?.cancel();
    return status === 200;
  });
  await server.close();
}
