import type { Costs } from "./costs.ts";

/** The traffic to plan for. */
export interface Load {
  /** Decisions per second at the busiest time. */
  readonly rps: number;
  /** How many different keys they are for. */
  readonly keys: number;
  readonly limits: readonly { readonly rate: number; readonly periodMs: number; readonly burst: number }[];
  readonly processes: number;
  /** Characters of a stored key, with its prefix and the limiter's name. */
  readonly keyLength: number;
  /** The share of the decisions that are for the busiest key. All other keys are equally busy. */
  readonly hottest: number;
  /** The lease of the limiter; `undefined` if it has none. */
  readonly leaseMs: number | undefined;
  /** How many checks a process sends to a master in one write. */
  readonly checksPerWrite: number;
}

/** What one server can take. Redis itself sets the numbers of connections and nodes. */
export interface Server {
  readonly memoryBytes: number;
  readonly networkBitsPerSecond: number;
}

/** One thing that can run out. */
export interface Resource {
  readonly name: "Redis CPU" | "the busiest key" | "memory" | "network" | "connections" | "nodes" | "process CPU";
  /** What the busiest master, the Cluster or a process uses of it. */
  readonly used: number;
  readonly capacity: number;
  readonly unit: "cores" | "bytes" | "bits/s" | "connections" | "nodes";
}

/** What a load needs. Rates are per second, CPU times in µs. */
export interface Sizing {
  readonly admitted: number;
  /** Calls that Redis answers. All other decisions are made in the process. */
  readonly calls: number;
  /** Those of them that are for the busiest key, and so for one master. */
  readonly hottestCalls: number;
  /** Keys that are stored at a time. The others' buckets are full. */
  readonly storedKeys: number;
  readonly perCall: { readonly redisUs: number; readonly clientUs: number; readonly requestBytes: number; readonly replyBytes: number };
  readonly bytesPerKey: number;
  /** The fewest masters that carry the load, or nearly all of it if no number of masters carries the busiest key. */
  readonly masters: number;
  readonly redisCores: number;
  readonly storedBytes: number;
  readonly requestBitsPerSecond: number;
  readonly replyBitsPerSecond: number;
  readonly connections: number;
  readonly clientCores: number;
  readonly resources: readonly Resource[];
  /** The resource that runs out first if load and processes grow alike. It does so at this many times the load. */
  readonly failsFirst: { readonly resource: Resource["name"]; readonly atTimes: number };
}

/** How much of a core, of the memory and of the network a plan uses at the busiest time. The rest is for failovers and peaks. */
export const planned = 0.6;

/** The default `maxclients` of Redis, and the number of nodes up to which a Cluster is designed to work. */
const [maxConnections, maxNodes] = [10_000, 1000];

/** Ethernet, IP and TCP headers of the packet that carries a write or its replies, in bytes. */
const packetBytes = 66;

/** A lease begins to pay from this many tokens and, in each process, this many calls in its time. */
const leaseTokens = 5;
const leaseCalls = 5;

/** Calculates what a load needs. */
export function sizeOf(load: Load, server: Server, costs: Costs): Sizing {
  const { processes, keyLength, checksPerWrite } = load;
  const extraLimits = load.limits.length - 1;
  const { admitted, calls, hottestCalls, storedKeys } = trafficOf(load);
  const bytesPerKey = costs.storedKey.fixed + costs.storedKey.perCharacter * keyLength + costs.storedKey.perExtraLimit * extraLimits;
  const storedBytes = storedKeys * bytesPerKey;
  const connectionsEach = processes * costs.connection.perMaster;
  const connectionBytes = connectionsEach * costs.connection.bytes;
  const requestBytes = costs.request.fixed + keyLength + costs.request.perExtraLimit * extraLimits + packetBytes / checksPerWrite;
  const replyBytes = costs.reply.fixed + costs.reply.perExtraLimit * extraLimits + packetBytes / checksPerWrite;
  const bitsPerCall = 8 * Math.max(requestBytes, replyBytes);
  // If all keys are equally busy, so are the masters, unless there are fewer keys than masters.
  const apart = load.hottest > 1 / load.keys ? hottestCalls : 0;
  const redisUs = (keysOfMaster: number): number =>
    costs.redis.perCheck +
    costs.redis.perWrite / checksPerWrite +
    costs.redis.perExtraLimit * extraLimits +
    costs.redis.manyKeys * shareOfManyKeys(keysOfMaster);

  const resourcesWith = (masters: number): Resource[] => {
    const busiest = Math.max(hottestCalls, apart + (calls - apart) / masters);
    const us = redisUs(storedKeys / masters);
    return [
      { name: "Redis CPU", used: (busiest * us) / 1e6, capacity: 1, unit: "cores" },
      { name: "memory", used: storedBytes / masters + connectionBytes, capacity: server.memoryBytes, unit: "bytes" },
      { name: "network", used: busiest * bitsPerCall, capacity: server.networkBitsPerSecond, unit: "bits/s" },
    ];
  };
  const masters = fewestMasters(resourcesWith);

  const [cpu, ...others] = resourcesWith(masters) as [Resource, ...Resource[]];
  const us = redisUs(storedKeys / masters);
  const clientUs = costs.client.perCheck + costs.client.perWrite / checksPerWrite + costs.client.perExtraLimit * extraLimits;
  const clientCores = (calls * clientUs + (load.rps - calls) * costs.client.perLocalRefusal) / 1e6;
  const hottestIsMost = hottestCalls > (calls - hottestCalls) / masters;
  const resources: Resource[] = [
    { ...cpu, name: hottestIsMost ? "the busiest key" : "Redis CPU" },
    ...others,
    { name: "connections", used: connectionsEach, capacity: maxConnections, unit: "connections" },
    // While one master is enough, there is no Cluster, and more load fills this master instead of adding another.
    ...(masters === 1 ? [] : [{ name: "nodes", used: masters, capacity: maxNodes, unit: "nodes" } as const]),
    { name: "process CPU", used: clientCores / processes, capacity: 1, unit: "cores" },
  ];
  return {
    admitted,
    calls,
    hottestCalls,
    storedKeys,
    perCall: { redisUs: us, clientUs, requestBytes, replyBytes },
    bytesPerKey,
    masters,
    redisCores: (calls * us) / 1e6,
    storedBytes,
    requestBitsPerSecond: calls * requestBytes * 8,
    replyBitsPerSecond: calls * replyBytes * 8,
    connections: connectionsEach * masters,
    clientCores,
    resources,
    failsFirst: firstToFail(resources),
  };
}

interface Traffic {
  readonly admitted: number;
  readonly calls: number;
  readonly hottestCalls: number;
  readonly storedKeys: number;
}

/** What becomes of the decisions: a busiest key, and all other keys, which are equally busy. */
function trafficOf(load: Load): Traffic {
  const { rps, keys, limits } = load;
  const hottest = Math.max(load.hottest, 1 / keys);
  const perSecond = Math.min(...limits.map(({ rate, periodMs }) => (1000 * rate) / periodMs));
  const asked = { busiest: hottest * rps, other: keys > 1 ? ((1 - hottest) * rps) / (keys - 1) : 0 };
  const both = (of: (asked: number) => number): number => of(asked.busiest) + (keys - 1) * of(asked.other);
  const callsOf = (askedOfKey: number): number => callsForKey(askedOfKey, perSecond, load);
  return {
    admitted: both((of) => Math.min(of, perSecond)),
    calls: both(callsOf),
    hottestCalls: callsOf(asked.busiest),
    // Each token that is taken keeps its key for the time in which it flows back, however bursty the calls are.
    storedKeys: both((of) => Math.min(1, of / perSecond)),
  };
}

/** How many of the decisions on a key need a call, all per second. */
function callsForKey(asked: number, perSecond: number, { processes, leaseMs, limits }: Load): number {
  // Above the limit, the deny cache of a process answers until the next token flows in, but for at most a second. It counts from when the
  // process sent the call, which is a moment too early, so a process calls about twice in that time, if anybody asks it.
  const chances = 2 * processes * Math.max(perSecond, 1);
  const calls = asked <= perSecond ? asked : Math.min(asked, chances * -Math.expm1(-asked / chances));
  if (leaseMs === undefined) return calls;
  // A lease takes at most a quarter of the bucket in advance.
  const leaseSeconds = Math.min(leaseMs, ...limits.map(({ rate, periodMs, burst }) => (burst * periodMs) / rate / 4)) / 1000;
  const isLeased = perSecond * leaseSeconds >= leaseTokens && (asked / processes) * leaseSeconds >= leaseCalls;
  return isLeased ? Math.min(calls, processes / leaseSeconds) : calls;
}

/**
 * How far a master is from ten thousand keys (0), which its caches hold, to ten million (1). Most of the way comes with the last of the
 * three factors of ten, as the measurements show.
 */
function shareOfManyKeys(keys: number): number {
  return Math.min(1, Math.max(0, Math.log10(keys / 10_000) / 3)) ** 2;
}

/**
 * The fewest masters that use no more than the planned part of anything. What no number of masters can carry is left out: only the part
 * of it that spreads over the masters counts.
 */
function fewestMasters(resourcesWith: (masters: number) => readonly Resource[]): number {
  const inevitable = resourcesWith(Number.POSITIVE_INFINITY);
  const suffice = (masters: number): boolean =>
    resourcesWith(masters).every(({ used, capacity }, i) => {
      const always = inevitable[i]?.used ?? 0;
      return used - (always > planned * capacity ? always : 0) <= planned * capacity;
    });
  let [low, high] = [0, 1];
  while (!suffice(high)) [low, high] = [high, high * 2];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (suffice(middle)) high = middle;
    else low = middle;
  }
  // A Cluster of two masters has no majority when one of them fails.
  return high === 2 ? 3 : high;
}

function firstToFail(resources: readonly Resource[]): Sizing["failsFirst"] {
  const fullness = ({ used, capacity }: Resource): number => used / capacity;
  const fullest = resources.reduce((most, one) => (fullness(one) > fullness(most) ? one : most));
  return { resource: fullest.name, atTimes: 1 / fullness(fullest) };
}
