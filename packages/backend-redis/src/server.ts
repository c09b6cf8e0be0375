import { warnOnce } from "@ratelimit/core/backend";

/** What the answer to INFO says of a server. */
export interface Server {
  /** `Redis`, `Valkey`, or what another one calls itself. */
  readonly name: string;
  readonly version: string;
  readonly isReplica: boolean;
  /** Whether it is cluster-enabled: then it refuses scripts with keys of different slots, even if it is the only node. */
  readonly isCluster: boolean;
  /** Ms that a bucket may take to fill, for its expiry to be kept to the millisecond. */
  readonly longestFillMs: number;
}

/** The oldest version of each that the scripts are made for. */
const supported: Readonly<Record<string, readonly [major: number, minor: number]>> = { Redis: [6, 2], Valkey: [7, 2] };

/** Others that call themselves Redis too, by the line of INFO that gives them away. */
const others: Readonly<Record<string, string>> = {
  Dragonfly: "dragonfly_version",
  Garnet: "garnet_version",
  Kvrocks: "kvrocks_version",
  KeyDB: "mvcc_depth",
};

/** Above 37 hours Dragonfly rounds an expiry to seconds. */
const dragonflyLongestMs = 37 * 3_600_000;

/** Reads the answer to INFO; what it does not say counts as fine. */
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

/** Tells once per process that nobody has tried the scripts on such a server. */
export function warnOfVersion({ name, version }: Server): void {
  if (version === "" || isSupported(name, version)) return;
  warnOnce(
    "RATELIMIT_REDIS_VERSION",
    `Expected Redis 6.2 or Valkey 7.2, or a later one, got ${name} ${version}: buckets may not be counted exactly there`,
    name,
  );
}

function isSupported(name: string, version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const oldest = supported[name];
  return oldest !== undefined && (major > oldest[0] || (major === oldest[0] && minor >= oldest[1]));
}
