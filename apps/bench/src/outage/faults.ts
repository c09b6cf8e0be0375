import { type FaultProxy, type RedisServer, startFaultProxy, startStandalone } from "@ratelimit/testbed";
import type { Address } from "../redis/subjects.ts";

export const faults = {
  frozen: {
    name: "frozen (SIGSTOP)",
    proxied: false,
    backWithinMs: 1000,
    begin: ({ server }) => server.pause(),
    end: ({ server }) => server.resume(),
  },
  killed: {
    name: "killed, then restarted empty",
    proxied: false,
    backWithinMs: 1000,
    begin: ({ server }) => server.kill(),
    end: ({ server }) => server.restart({ empty: true }),
  },
  blackhole: {
    name: "cut off by the network",
    proxied: true,
    backWithinMs: 3000,
    begin: async ({ proxy }) => {
      await proxy.set("blackholeEstablished");
      await proxy.set("blackholeNew");
    },
    end: ({ proxy }) => proxy.set("pass"),
  },
  slow: {
    name: "slow (300 ms)",
    proxied: true,
    backWithinMs: 1000,
    begin: ({ proxy }) => proxy.set({ latency: { up: 150, down: 150 } }),
    end: ({ proxy }) => proxy.set("pass"),
  },
} as const satisfies Record<string, Fault>;

export type FaultId = keyof typeof faults;

export interface Fault {
  readonly name: string;
  /** Whether the client reaches Redis through the proxy. */
  readonly proxied: boolean;
  /** The time within which Redis must decide again, as docs/reliability.md promises. */
  readonly backWithinMs: number;
  readonly begin: (site: Site) => void | Promise<void>;
  readonly end: (site: Site) => void | Promise<void>;
}

/** A Redis with a proxy in front; either can be made to fail. */
export interface Site extends AsyncDisposable {
  readonly server: RedisServer;
  readonly proxy: FaultProxy;
  /** The address that the client uses for this fault. */
  readonly address: Address;
}

export async function openSite({ proxied }: Fault): Promise<Site> {
  const standalone = await startStandalone();
  const proxy = await startFaultProxy(standalone.server.address);
  const { host, port } = proxied ? proxy : standalone;
  return {
    server: standalone.server,
    proxy,
    address: { host, port },
    [Symbol.asyncDispose]: async () => {
      await proxy.stop();
      await standalone.stop();
    },
  };
}
