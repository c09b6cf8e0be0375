import { randomUUID } from "node:crypto";
import type { RedisClient } from "@ratelimit/backend-redis";
import { ManualClock } from "@ratelimit/core";
import type { Redis } from "ioredis";
import { expiryClock, type Script, type Scripts, scriptsWith } from "../../src/scripts.ts";

/** A client that runs our scripts, line for line, by a clock which only the test moves. */
export interface Frozen {
  readonly client: RedisClient;
  readonly clock: ManualClock;
}

/** A clock that stands still in Redis: a hash holds its reading, and when each bucket is full. */
export function frozen(redis: Redis): Frozen {
  const hash = `frozen:${randomUUID()}`;
  const stopped = scriptsWith({
    read: `math.max(0, redis.call('HGET', '${hash}', key) - redis.call('HGET', '${hash}', 'now'))`,
    write: `\
redis.call('SET', key, value, 'PX', 600000)
redis.call('HSET', '${hash}', key, string.format('%.0f', redis.call('HGET', '${hash}', 'now') + ahead))`,
  });
  const counterparts = byName(scriptsWith(expiryClock), stopped);
  const clock = new ManualClock();
  let told = Number.NaN;
  /** Commands of one connection keep their order, so the call that follows sees it. */
  const tell = (): void => {
    if (told === clock.now()) return;
    told = clock.now();
    redis.hset(hash, "now", told).catch(() => {});
    redis.pexpire(hash, 600_000).catch(() => {});
  };
  return {
    clock,
    client: {
      status: redis.status,
      evalsha(sha1, keys, ...args) {
        tell();
        return redis.evalsha(counterparts.get(sha1)?.sha1 ?? sha1, keys, ...args);
      },
      eval(lua, keys, ...args) {
        tell();
        return redis.eval(counterparts.get(lua)?.lua ?? lua, keys, ...args);
      },
      del: (key) => redis.del(key),
      info: () => redis.info(),
      connect: () => redis.connect(),
      on: (event, listener) => redis.on(event, listener),
      off: (event, listener) => redis.off(event, listener),
    },
  };
}

/** The stopped script for the name and for the text of each running one. */
function byName(running: Scripts, stopped: Scripts): Map<string, Script> {
  const names = Object.keys(running) as (keyof Scripts)[];
  return new Map(names.flatMap((name) => [running[name].sha1, running[name].lua].map((id) => [id, stopped[name]] as const)));
}
