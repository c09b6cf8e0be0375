import { warnOnce } from "@ratelimit/core/backend";

/** What the backend needs to know about a server, as read from its reply to INFO. */
export interface Server {
  /** `Redis`, `Valkey` or the name of another server that speaks the protocol. */
  readonly name: string;
  readonly version: string;
  readonly isReplica: boolean;
  /** Whether the server is cluster-enabled. If so, it refuses scripts with keys of different slots, even if it is the only node. */
  readonly isCluster: boolean;
  /** The longest time in ms that a bucket may take to fill. The server does not keep longer expiries to the millisecond. */
  readonly longestFillMs: number;
}

/** The oldest supported version of each server. */
const supported: Readonly<Record<string, readonly [major: number, minor: number]>> = { Redis: [6, 2], Valkey: [7, 2] };

/** Other servers that claim to be Redis, each with the INFO field that identifies it. */
const others: Readonly<Record<string, string>> = {
  Dragonfly: "dragonfly_version",
  Garnet: "garnet_version",
  Kvrocks: "kvrocks_version",
  KeyDB: "mvcc_depth",
};

/** Dragonfly rounds expiries above 37 hours to whole seconds. */
const dragonflyLongestMs = 37 * 3_600_000;

/** Parses the reply to INFO. If a field is missing, assumes the harmless case. */
export function readServer(info: string): Server {
  const lines = new Map(info.split(/\r?\n/).map((line) => line.split(/:(.*)/s, 2) as [string, string | undefined]));
  const other = Object.entries(others).find(([, line]) => lines.has(line));
  const name = other?.[0] ?? (lines.has("valkey_version") ? "Valkey" : "Redis");
  const version = (other && lines.get(other[1])) ?? lines.get("valkey_version") ?? lines.get("redis_version") ?? "";
  return {
    name,
    version: name === "KeyDB" ? (lines.get("redis_version") ?? "") : version,
    isReplica: lines.get("role") === "slave",
    isCluster: lines.get("redis_mode") === "cluster" || lines.get("cluster_enabled") === "1",
    longestFillMs: name === "Dragonfly" ? dragonflyLongestMs : Number.POSITIVE_INFINITY,
  };
}

/** Warns once per process and kind of server if it is not a supported one. */
export function warnOfVersion({ name, version }: Server): void {
  if (version === "" || isSupported(name, version)) return;
  warnOnce(
    "RATELIMIT_REDIS_VERSION",
    `Expected Redis 6.2 or Valkey 7.2, or a later version, got ${name} ${version}: it may not count buckets exactly`,
    name,
  );
}

function isSupported(name: string, version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const oldest = supported[name];
  return oldest !== undefined && (major > oldest[0] || (major === oldest[0] && minor >= oldest[1]));
}
