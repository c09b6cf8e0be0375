import { setTimeout as sleep } from "node:timers/promises";
import { makeNamespace, type NetworkNamespace, startStandalone, whyNoNamespace } from "@ratelimit/testbed";
import { describe, test } from "vitest";
import { type Fault, runFault } from "../test/support/fault.ts";

/** A fault of the cable between the limiter and a healthy Redis. The kernel drops packets, and neither side is notified. */
interface CableFault extends Omit<Fault, "backend" | "hurt" | "heal"> {
  /** What happens before there is a limiter. */
  readonly before?: (namespace: NetworkNamespace) => Promise<void>;
  /** What happens while it decides. */
  readonly hurt?: (namespace: NetworkNamespace) => Promise<void>;
  readonly reason?: RegExp;
}

const cut = (namespace: NetworkNamespace): Promise<void> => namespace.cut();
const silence = { meanwhile: "local", backMs: 3000, reason: /No answer within 100 ms/ } as const;
const bearable = { meanwhile: "backend", timeoutMs: 500, outages: 0, bursts: 0 } as const;

async function loose(namespace: NetworkNamespace): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await namespace.cut();
    await sleep(100);
    await namespace.mend();
    // With the 200 ms after which TCP sends again, calls are late for less than a third of the time: too little for the breaker to open.
    await sleep(900);
  }
}

const breaks: Readonly<Record<string, CableFault>> = {
  "drops all packets of an established connection for 1.5 s": { ...silence, hurt: cut, forMs: 1500 },
  "drops all packets of an established connection and its successors for 8 s": { ...silence, hurt: cut, forMs: 8000 },
  "drops all packets of a new connection from the start, for 5 s": { ...silence, before: cut, isThere: false, forMs: 5000 },
  // TCP sends again after 200 ms, so calls that wait for 100 ms are decided locally. But Redis is asked every time.
  "has a loose contact, which drops all packets for 100 ms, ten times": { hurt: loose, forMs: 600, outages: "passing" },
  // The load needs 250 kbit/s, in bursts.
  "carries only 300 kbit/s": { ...bearable, hurt: (namespace) => namespace.narrow(300, 100), forMs: 4000 },
};

const losses: Readonly<Record<string, CableFault>> = {
  "loses every 100th packet": { ...bearable, hurt: (namespace) => namespace.lose(100), forMs: 6000 },
};

const noNamespace = await whyNoNamespace();
const noLoss = noNamespace ?? (await whyNoNamespace({ loss: true }));
if (noLoss !== undefined) {
  const what = noNamespace === undefined ? "the tests that lose packets" : "the tests of a broken cable";
  process.stdout.write(`not permitted or not installed (${noLoss}): ${what} are skipped\n`);
}

function testFaults(faults: Readonly<Record<string, CableFault>>): void {
  test.concurrent.for(Object.entries(faults))("%s", { timeout: 60_000 }, async ([name, fault], { expect }) => {
    await using namespace = await makeNamespace();
    await using redis = await startStandalone({ namespace });
    await fault.before?.(namespace);
    const { timeoutMs = 100 } = fault;
    const { events, problems } = await runFault(name, {
      ...fault,
      backend: { url: redis.url, timeout: `${timeoutMs}ms` },
      hurt: () => fault.hurt?.(namespace),
      heal: () => namespace.mend(),
    });
    expect(problems).toEqual([]);
    if (fault.reason !== undefined) expect(events.reasons).toMatch(fault.reason);
  });
}

describe.skipIf(noNamespace !== undefined)("decisions stay in time and within the limit if the cable", () => testFaults(breaks));
describe.skipIf(noLoss !== undefined)("decisions stay in time and within the limit if the cable", () => testFaults(losses));
