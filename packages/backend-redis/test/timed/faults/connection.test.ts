import { type FaultMode, type FaultProxy, startFaultProxy, startStandalone } from "@ratelimit/testbed";
import { describe, test } from "vitest";
import { type Fault, runFault } from "../../support/fault.ts";

/** A fault in the network between the limiter and a healthy Redis. */
interface NetworkFault extends Omit<Fault, "backend" | "hurt" | "heal"> {
  readonly hurt: (proxy: FaultProxy) => unknown;
  readonly heal?: (proxy: FaultProxy) => unknown;
  readonly reason?: RegExp;
}

const pass = (proxy: FaultProxy): Promise<void> => proxy.set("pass");

/** Ends every open connection, and does `mode` to the next ones. */
const afterCut =
  (mode: FaultMode) =>
  async (proxy: FaultProxy): Promise<void> => {
    await proxy.set(mode);
    proxy.cut();
  };

const faults: Readonly<Record<string, NetworkFault>> = {
  "refused connections": { hurt: afterCut("refuse"), forMs: 2500, meanwhile: "local", reason: /ECONNREFUSED|ECONNRESET|not connected/ },
  "no more packets on an established connection": {
    hurt: (proxy) => proxy.set("blackholeEstablished"),
    forMs: 10,
    backMs: 3000,
    reason: /No answer within 100 ms/,
  },
  "connections that are accepted and stay silent": {
    hurt: afterCut("blackholeNew"),
    forMs: 3000,
    backMs: 3000,
    meanwhile: "local",
    reason: /ECONNRESET|not connected|No answer/,
  },
  "a latency of 60 ms, with a timeout of 250 ms": {
    hurt: (proxy) => proxy.set({ latency: { up: 30, down: 30 } }),
    forMs: 2000,
    timeoutMs: 250,
    meanwhile: "backend",
    outages: 0,
    bursts: 0,
  },
  "a latency of 300 ms": {
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
  "a reset instead of a reply": { hurt: (proxy) => proxy.set("cutOnReply"), forMs: 10 },
  "half a reply and then silence": { hurt: (proxy) => proxy.set("halfReply"), forMs: 10, backMs: 3000 },
  "replies in pieces of 3 bytes": {
    hurt: (proxy) => proxy.set({ slice: 3 }),
    forMs: 1500,
    timeoutMs: 250,
    outages: 0,
    bursts: 0,
    meanwhile: "backend",
  },
};

describe("decisions stay in time and within the limit if the network gives", () => {
  test.concurrent.for(Object.entries(faults))("%s", { timeout: 40_000 }, async ([name, fault], { expect }) => {
    await using server = await startStandalone();
    await using proxy = await startFaultProxy(server);
    const { timeoutMs = 100 } = fault;
    const { events, problems } = await runFault(name, {
      ...fault,
      backend: { url: `redis://${proxy.host}:${proxy.port}`, timeout: `${timeoutMs}ms` },
      hurt: () => fault.hurt(proxy),
      heal: () => (fault.heal ?? pass)(proxy),
    });
    expect(problems).toEqual([]);
    if (fault.reason !== undefined) expect(events.reasons).toMatch(fault.reason);
  });
});
