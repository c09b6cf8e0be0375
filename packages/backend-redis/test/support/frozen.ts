import { randomUUID } from "node:crypto";
import { ManualClock } from "@ratelimit/core";
import type { Redis } from "ioredis";
import type { Client, OwnClient } from "../../src/clients/client.ts";
import type { IoredisClient } from "../../src/clients/ioredis.ts";
import { bucketScript, type Script, scriptOf } from "../../src/scripts.ts";

/** A client that runs the real script with a clock that only the test moves. */
export interface Frozen {
  readonly client: IoredisClient;
  readonly clock: ManualClock;
}

/** Freezes the clock in Redis. A hash keeps the time and when each bucket is full. */
export function frozen(redis: Redis): Frozen {
  const hash = `frozen:${randomUUID()}`;
  const stopped = stop(bucketScript, hash);
  const clock = new ManualClock();
  let sent = Number.NaN;
  /** Sends the time to Redis. Commands on one connection keep their order, so the call that follows sees it. */
  const sendTime = (): void => {
    if (sent === clock.now()) return;
    sent = clock.now();
    redis.hset(hash, "now", sent).catch(() => {});
    redis.pexpire(hash, 600_000).catch(() => {});
  };
  return {
    clock,
    client: {
      status: redis.status,
      evalsha(sha1, keys, ...args) {
        sendTime();
        return redis.evalsha(sha1 === bucketScript.sha1 ? stopped.sha1 : sha1, keys, ...args);
      },
      eval(lua, keys, ...args) {
        sendTime();
        return redis.eval(lua === bucketScript.lua ? stopped.lua : lua, keys, ...args);
      },
      info: () => redis.info(),
      connect: () => redis.connect(),
      on: (event, listener) => redis.on(event, listener),
      off: (event, listener) => redis.off(event, listener),
    },
  };
}

/** The same for a client of any library, which the backend would close. */
export function frozenClient(client: Client): { client: OwnClient; clock: ManualClock } {
  const hash = `frozen:${randomUUID()}`;
  const stopped = stop(bucketScript, hash);
  const clock = new ManualClock();
  let now = Number.NaN;
  let telling: Promise<unknown> = Promise.resolve();
  const tell = (): Promise<unknown> => {
    if (now !== clock.now()) {
      now = clock.now();
      const set = "redis.call('HSET', KEYS[1], 'now', ARGV[1]) redis.call('PEXPIRE', KEYS[1], 600000)";
      telling = client.eval(set, [hash], [String(now)]);
    }
    return telling;
  };
  const own: OwnClient = {
    isCluster: client.isCluster,
    keepsOrder: client.keepsOrder,
    async evalsha(sha1, keys, args) {
      await tell();
      return client.evalsha(sha1 === bucketScript.sha1 ? stopped.sha1 : sha1, keys, args);
    },
    async eval(lua, keys, args) {
      await tell();
      return client.eval(lua === bucketScript.lua ? stopped.lua : lua, keys, args);
    },
    info: () => client.info(),
    inOneWrite: (key, send) => client.inOneWrite(key, send),
    serverOf: (key) => client.serverOf(key),
    connected: (signal) => client.connected(signal),
    listen: () => () => {},
    errorOf: (error) => client.errorOf(error),
    failed: (error) => client.failed(error),
    reconnect() {},
    async close() {},
  };
  return { client: own, clock };
}

/** Returns the same script, except for the three commands that depend on the time. */
function stop({ lua }: Script, hash: string): Script {
  const read = `math.max(0, (redis.call('HGET', '${hash}', key) or 0) - redis.call('HGET', '${hash}', 'now'))`;
  const set = (ahead: string): string =>
    `redis.call('SET', key, value, 'PX', 600000) redis.call('HSET', '${hash}', key, string.format('%.0f', redis.call('HGET', '${hash}', 'now') + ${ahead}))`;
  const write = "if value ~= before or redis.call('PEXPIRE', key, ms) == 0 then redis.call('SET', key, value, 'PX', ms) end";
  const [fast, general, ...more] = lua.split(write);
  if (general === undefined || more.length !== 1) throw new Error("Expected the script to write a bucket in two places");
  const text = fast + set("ahead") + general + set("longest") + more[0];
  return scriptOf(text.replaceAll("redis.call('PTTL', key)", read));
}
