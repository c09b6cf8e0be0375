import type { Redis } from "ioredis";
import type { Table } from "../bench.ts";
import { digits, median, ratio, withSpread } from "../figure.ts";
import { interleave, type Samples } from "../rounds.ts";
import { callerKey, limiterName, prefixOf } from "./keys.ts";
import type { Scale, Sites } from "./measure.ts";
import { read, type Site } from "./site.ts";

const readsPerRound = 20_000;
const readsPerPipeline = 500;

/** Measures the CPU time of reading a key and its time to live, without our script: what grows here is the price of Redis' own tables. */
export async function measurePlainReads(counts: readonly number[], sites: Sites, { rounds }: Scale): Promise<Samples<number>> {
  return interleave(counts.map(String), { rounds }, async (count) => {
    const site = sites[`stored${Number(count)}`] as Site;
    const [client] = site.clients as [Redis];
    const before = await read(site);
    for (let done = 0; done < readsPerRound; done += readsPerPipeline) {
      const pipeline = client.pipeline();
      for (let i = 0; i < readsPerPipeline; i++) {
        const key = `${prefixOf(0)}${limiterName(0)}:${callerKey(Math.floor(Math.random() * Number(count)))}`;
        pipeline.get(key).pttl(key);
      }
      await pipeline.exec();
    }
    return ((await read(site)).cpuUs - before.cpuUs) / readsPerRound;
  });
}

export function plainReadTable(counts: readonly number[], samples: Samples<number>): Table {
  const [first] = counts as [number];
  const of = (count: number): number[] => samples[String(count)] ?? [];
  return {
    title: "GET and PTTL of a stored key, without a script",
    columns: ["", "Redis CPU µs", "×"],
    rows: counts.map((count) => [
      `${count.toLocaleString("en-US")} keys`,
      digits(median(of(count))),
      withSpread(ratio(of(count), of(first))),
    ]),
  };
}
