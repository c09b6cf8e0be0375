import { atLeast, atMost, type Bench } from "../bench.ts";
import { difference, digits, median, ratio, withSpread } from "../figure.ts";
import { column, interleave, withCrew } from "../rounds.ts";
import { Worker } from "../worker.ts";
import { type ListenerId, listeners } from "./listeners.ts";
import type { Sample, Setup } from "./station.ts";

const ids = Object.keys(listeners) as ListenerId[];

/** The most CPU time that a report may add to a check, and how fast a check must be again when nobody listens any more. */
const [mostAddedNs, leastSpeed] = [3000, 0.9];

export const bench: Bench = {
  title: "What listening costs",
  about:
    "CPU time of one `await check` in process, 1,024 keys, all admitted, by who listens to the channel of decisions. `×` is how many times as fast as with nobody.",
  async run(quick) {
    const [rounds, ms] = quick ? [3, 40] : [11, 150];
    const start = (listener: ListenerId) => (): Promise<Worker> => Worker.start("otel", { listener } satisfies Setup);
    const samples = await withCrew(new Map(ids.map((id) => [id, start(id)])), (crew) =>
      interleave(ids, { rounds }, async (id) => (await crew.get(id)?.ask("round", { ms })) as Sample),
    );
    const cpu = (id: ListenerId): number[] => column(samples, id, ({ cpuNs }) => cpuNs);
    const added = (id: ListenerId): number => difference(cpu(id), cpu("none")).value;
    const rows = ids.map((id) => [
      listeners[id].name,
      digits(median(cpu(id))),
      id === "none" ? "–" : digits(added(id)),
      withSpread(ratio(cpu("none"), cpu(id))),
    ]);
    return {
      tables: [{ title: "One check", columns: ["who listens", "CPU ns / check", "added ns", "×"], rows }],
      goals: [
        atMost("@ratelimit/otel: added CPU", added("otel"), mostAddedNs, "ns"),
        atLeast("after `stop()`", ratio(cpu("none"), cpu("stopped")).value, leastSpeed, "× as fast as with nobody"),
      ],
    };
  },
};
