import { Agent, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { HttpRule } from "../http/limiters.ts";
import { type Framework, serve } from "../http/servers.ts";
import type { Answers } from "../worker.ts";
import { CallCounts } from "./coverage.ts";
import { type Called, calledIn } from "./sources.ts";

export interface Setup {
  readonly framework: Framework;
  readonly redis?: HttpRule["redis"];
}

const packages = fileURLToPath(new URL("../../../../packages", import.meta.url));
const rule = { rate: 60_000, periodMs: 60_000, burst: 100_000_000, windowMs: 3_600_000, keys: 1 };

/** Requests before the traced one, and a pause in which their timers (mostly deadlines) run out. */
const [warmUps, restMs] = [500, 1000];

export async function open({ framework, redis }: Setup): Promise<Answers> {
  const { port } = await serve[framework]("ours", { ...rule, ...(redis && { redis }) });
  return { oneRequest: () => oneRequest(port) };
}

/** Returns our functions that one admitted request calls once everything is warm. */
async function oneRequest(port: number): Promise<Called[]> {
  using counts = await CallCounts.start();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < warmUps; i++) await admitted(port, agent);
  await sleep(restMs);
  await counts.take();
  await admitted(port, agent);
  const scripts = await counts.take();
  agent.destroy();
  return calledIn(packages, scripts);
}

function admitted(port: number, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, agent }, (response) => {
      const { statusCode, headers } = response;
      const wasLimited = headers["x-ratelimit-remaining"] !== undefined;
      response.resume().on("end", () => (statusCode === 200 && wasLimited ? resolve() : reject(new Error(`Answered ${statusCode}`))));
    }).on("error", reject);
  });
}
