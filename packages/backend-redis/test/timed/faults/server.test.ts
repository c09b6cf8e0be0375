import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Standalone, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { describe, test } from "vitest";
import { type Fault, runFault } from "../../support/fault.ts";

/** A fault of one server. `admin` is a client that was connected before it. */
interface ServerFault extends Omit<Fault, "backend" | "hurt" | "heal"> {
  readonly args?: readonly string[];
  readonly hurt: (server: Standalone, admin: Redis) => unknown;
  readonly heal: (server: Standalone, admin: Redis) => unknown;
  /** What the reason in an event must match. */
  readonly reason?: RegExp;
}

const nothing = (): void => {};

const faults: Readonly<Record<string, ServerFault>> = {
  "killed with calls in flight, and restarted empty": {
    hurt: ({ server }) => server.kill(),
    heal: ({ server }) => server.restart({ empty: true }),
    forMs: 1500,
    meanwhile: "local",
    reason: /not connected|ECONNREFUSED|ECONNRESET/,
  },
  "restarted empty at once": {
    hurt: ({ server }) => server.restart({ empty: true }),
    heal: nothing,
    forMs: 10,
  },
  "frozen for 4 s": {
    hurt: ({ server }) => server.pause(),
    heal: ({ server }) => server.resume(),
    forMs: 4000,
    meanwhile: "local",
    reason: /No answer within 100 ms/,
  },
  "loading its data for 3 s": {
    args: ["--key-load-delay", "150000"],
    hurt: async ({ server }, admin) => {
      for (let i = 0; i < 16; i++) await admin.set(`other:${i}`, "x");
      await server.restart();
    },
    heal: nothing,
    forMs: 1,
    reason: /LOADING|ECONNRESET|not connected/,
  },
  "out of memory with the policy noeviction": {
    hurt: async (_, admin) => {
      await admin.config("SET", "maxmemory-policy", "noeviction");
      await admin.config("SET", "maxmemory", "1");
    },
    heal: (_, admin) => admin.config("SET", "maxmemory", "0"),
    forMs: 1500,
    meanwhile: "local",
    reason: /OOM/,
  },
  "refusing writes because saving failed (MISCONF)": {
    args: ["--save", "3600 1"],
    // A folder has the name of the dump file, so that saving fails.
    hurt: async ({ server }, admin) => {
      await mkdir(join(server.dir, "dump.rdb/full"), { recursive: true });
      await admin.bgsave();
      while (!(await admin.info("persistence")).includes("rdb_last_bgsave_status:err")) await sleep(20);
    },
    heal: (_, admin) => admin.config("SET", "stop-writes-on-bgsave-error", "no"),
    forMs: 1500,
    meanwhile: "local",
    reason: /MISCONF/,
  },
  "refusing writes because it has too few replicas (NOREPLICAS)": {
    hurt: (_, admin) => admin.config("SET", "min-replicas-to-write", "1"),
    heal: (_, admin) => admin.config("SET", "min-replicas-to-write", "0"),
    forMs: 1500,
    meanwhile: "local",
    reason: /NOREPLICAS/,
  },
  "busy with a script that can be killed": {
    hurt: async (server, admin) => {
      await admin.config("SET", "busy-reply-threshold", "100");
      new Redis(server.url, { retryStrategy: () => null }).eval("while true do end", 0).catch(nothing);
    },
    heal: (_, admin) => admin.script("KILL"),
    forMs: 2000,
    meanwhile: "local",
    reason: /BUSY|No answer/,
  },
  "busy with a script that cannot be killed because it has written": {
    hurt: async (server, admin) => {
      await admin.config("SET", "busy-reply-threshold", "100");
      new Redis(server.url, { retryStrategy: () => null }).eval("redis.call('SET', 'other', 1) while true do end", 0).catch(nothing);
    },
    heal: ({ server }) => server.kill().then(() => server.restart()),
    forMs: 2000,
    meanwhile: "local",
    reason: /BUSY|No answer/,
  },
  "pausing writes (CLIENT PAUSE)": {
    hurt: (_, admin) => admin.call("CLIENT", "PAUSE", "60000", "WRITE"),
    heal: (_, admin) => admin.call("CLIENT", "UNPAUSE"),
    forMs: 2000,
    meanwhile: "local",
    reason: /No answer/,
  },
  "demoted to a replica and promoted again": {
    hurt: (server, admin) => admin.replicaof(server.host, 1),
    heal: (_, admin) => admin.replicaof("NO", "ONE"),
    forMs: 1500,
    meanwhile: "local",
    reason: /READONLY|replica/,
  },
  "forgetting its scripts every 100 ms": {
    hurt: (_, admin) => {
      const timer = setInterval(() => void admin.script("FLUSH"), 100);
      setTimeout(() => clearInterval(timer), 2000);
    },
    heal: nothing,
    forMs: 2000,
    meanwhile: "backend",
    timeoutMs: 250,
    outages: 0,
    bursts: 0,
  },
  "emptied by FLUSHALL": {
    hurt: (_, admin) => admin.flushall(),
    heal: nothing,
    forMs: 1000,
    meanwhile: "backend",
    timeoutMs: 250,
    outages: 0,
  },
  "out of connections (maxclients)": {
    hurt: async (_, admin) => {
      await admin.config("SET", "maxclients", "1");
      await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    },
    heal: (_, admin) => admin.config("SET", "maxclients", "1000"),
    forMs: 1500,
    meanwhile: "local",
    reason: /max number of clients|not connected|EPIPE/,
  },
};

describe("decisions stay in time and within the limit while the server is", () => {
  test.concurrent.for(Object.entries(faults))("%s", { timeout: 40_000 }, async ([name, fault], { expect }) => {
    await using server = await startStandalone({ args: fault.args ?? [] });
    const admin = new Redis(server.url);
    admin.on("error", nothing);
    try {
      const { events, problems } = await runFault(name, {
        ...fault,
        backend: { url: server.url, timeout: `${fault.timeoutMs ?? 100}ms` },
        hurt: () => fault.hurt(server, admin),
        heal: () => fault.heal(server, admin),
      });
      expect(problems).toEqual([]);
      if (fault.reason !== undefined) expect(events.reasons).toMatch(fault.reason);
    } finally {
      admin.disconnect();
    }
  });
});
