import { type SentinelGroup, startSentinel } from "@ratelimit/testbed";
import { Worker } from "../worker.ts";
import { servers } from "./rules.ts";
import type { Setup } from "./station.ts";
import type { Setup as TrafficSetup } from "./traffic.ts";

/** Redis under Sentinel, three servers that limit on it, and the client that sends them requests. Each is a process of its own. */
export interface Site extends AsyncDisposable {
  readonly group: SentinelGroup;
  readonly servers: readonly Worker[];
  readonly traffic: Worker;
}

export async function openSite(traffic: Omit<TrafficSetup, "ports">): Promise<Site> {
  const group = await startSentinel();
  const workers: Worker[] = [];
  const dispose = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await group.stop();
  };
  const start = async (kind: string, setup: object, flags: readonly string[] = []): Promise<Worker> => {
    const worker = await Worker.start(kind, setup, { flags });
    workers.push(worker);
    await worker.ask("prove");
    return worker;
  };
  try {
    const ports: number[] = [];
    for (const framework of servers) {
      const setup: Setup = { framework, sentinels: group.addresses, master: group.name };
      ports.push((await (await start("soak", setup, ["--expose-gc"])).ask("port")) as number);
    }
    const client = await start("soak-traffic", { ...traffic, ports } satisfies TrafficSetup);
    return { group, servers: workers.filter((worker) => worker !== client), traffic: client, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
