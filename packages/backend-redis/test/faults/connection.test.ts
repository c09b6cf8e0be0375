import { type FaultMode, type FaultProxy, startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { describe, test } from "vitest";
import { type Fault, suffer } from "../support/fault.ts";

/** A fault of the network between the limiter and a healthy Redis. */
interface NetworkFault extends Omit<Fault, "backend" | "hurt" | "heal"> {
  readonly hurt: (proxy: FaultProxy) => unknown;
  readonly heal?: (proxy: FaultProxy) => unknown;
  readonly reason?: RegExp;
}

const pass = (proxy: FaultProxy): Promise<void> => proxy.set("pass");

/** Every connection of now ends, and to the next ones this happens. */
const afterCut =
  (mode: FaultMode) =>
  async (proxy: FaultProxy): Promise<void> => {
    await proxy.set(mode);
    proxy.cut();
  };

const faults: Readonly<Record<string, NetworkFault>> = {
  refused: { hurt: afterCut("refuse"), forMs: 2500, meanwhile: "local", reason: /ECONNREFUSED|ECONNRESET|not connected/ },
  "established connection blackholed": {
    hurt: (proxy) => proxy.set("blackholeEstablished"),
    forMs: 10,
    backMs: 3000,
    reason: /No answer within 100 ms/,
  },
  "new connection blackholed, and accepts and stays silent": {
    hurt: afterCut("blackholeNew"),
    forMs: 3000,
    backMs: 3000,
    meanwhile: "local",
    reason: /ECONNRESET|not connected|No answer/,
  },
  "latency 50/90 ms": {
    hurt: (proxy) => proxy.set({ latency: { up: 30, down: 30 } }),
    forMs: 2000,
    timeoutMs: 250,
    meanwhile: "backend",
    outages: 0,
    bursts: 0,
  },
  "latency 300 ms": {
    hurt: (proxy) => proxy.set({ latency: { up: 150, down: 150 } }),
    forMs: 2500,
    meanwhile: "local",
    reason: /No answer/,
  },
  "garbage in place of replies": {
    hurt: (proxy) => proxy.set("garble"),
    forMs: 1500,
    meanwhile: "local",
    reason: /RESP|Protocol/,
  },
  "an HTTP server on the port": { hurt: (proxy) => proxy.set("http"), forMs: 1500, meanwhile: "local", reason: /RESP|Protocol/ },
  "a reply lost, and a reset": { hurt: (proxy) => proxy.set("cutOnReply"), forMs: 10 },
  "half a reply, then silence": { hurt: (proxy) => proxy.set("halfReply"), forMs: 10, backMs: 3000 },
  "replies in pieces of 3 bytes": {
    hurt: (proxy) => proxy.set({ slice: 3 }),
    forMs: 1500,
    timeoutMs: 250,
    outages: 0,
    bursts: 0,
    meanwhile: "backend",
  },
};

describe("a network that gives", () => {
  test.concurrent.for(Object.entries(faults))("%s", { timeout: 40_000 }, async ([name, fault], { expect }) => {
    await using server = await startStandalone();
    await using proxy = await startFaultProxy(server);
    const { timeoutMs = 100 } = fault;
    const { events, problems } = await suffer(name, {
      ...fault,
      backend: { url: `redis://${proxy.host}:${proxy.port}`, timeout: `${timeoutMs}ms` },
      hurt: () => fault.hurt(proxy),
      heal: () => (fault.heal ?? pass)(proxy),
    });
    expect(problems).toEqual([]);
    if (fault.reason !== undefined) expect(events.reasons).toMatch(fault.reason);
  });
});
