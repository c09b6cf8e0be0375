import { setTimeout as sleep } from "node:timers/promises";
import { makeNamespace, type NetworkNamespace, startStandalone, whyNoNamespace } from "@ratelimit/testbed";
import { describe, test } from "vitest";
import { type Fault, suffer } from "../test/support/fault.ts";

/** A fault of the cable between the limiter and a healthy Redis: the kernel loses packets, and no socket is told. */
interface CableFault extends Omit<Fault, "backend" | "hurt" | "heal"> {
  /** Before the limiter is there; and while it decides. */
  readonly before?: (namespace: NetworkNamespace) => Promise<void>;
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
  "an established connection is blackholed for 1.5 s": { ...silence, hurt: cut, forMs: 1500 },
  "an established connection, and those in its place, are blackholed for 8 s": { ...silence, hurt: cut, forMs: 8000 },
  "a new connection is blackholed, from the start and for 5 s": { ...silence, before: cut, isThere: false, forMs: 5000 },
  // TCP sends again after 200 ms, so calls that wait for no more than 100 are decided locally. But Redis is asked every time.
  "a loose contact: 100 ms of silence, ten times": { hurt: loose, forMs: 600, outages: "passing" },
  // The load asks for 250 kbit/s, in bursts.
  "a cable of 300 kbit/s": { ...bearable, hurt: (namespace) => namespace.narrow(300, 100), forMs: 4000 },
};

const losses: Readonly<Record<string, CableFault>> = {
  "every 100th packet is lost": { ...bearable, hurt: (namespace) => namespace.lose(100), forMs: 6000 },
};

const noNamespace = await whyNoNamespace();
const noLoss = noNamespace ?? (await whyNoNamespace({ loss: true }));
if (noLoss !== undefined) {
  const what = noNamespace === undefined ? "the lost packets" : "the faults of a cable";
  process.stdout.write(`not permitted or not there (${noLoss}): ${what} are left out\n`);
}

function suffering(faults: Readonly<Record<string, CableFault>>): void {
  test.concurrent.for(Object.entries(faults))("%s", { timeout: 60_000 }, async ([name, fault], { expect }) => {
    await using namespace = await makeNamespace();
    await using redis = await startStandalone({ namespace });
    await fault.before?.(namespace);
    const { timeoutMs = 100 } = fault;
    const { events, problems } = await suffer(name, {
      ...fault,
      backend: { url: redis.url, timeout: `${timeoutMs}ms` },
      hurt: () => fault.hurt?.(namespace),
      heal: () => namespace.mend(),
    });
    expect(problems).toEqual([]);
    if (fault.reason !== undefined) expect(events.reasons).toMatch(fault.reason);
  });
}

describe.skipIf(noNamespace !== undefined)("a cable that breaks", () => suffering(breaks));
describe.skipIf(noLoss !== undefined)("a cable that loses packets", () => suffering(losses));
