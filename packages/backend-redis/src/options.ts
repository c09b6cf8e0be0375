import { Problems, type ResilientOptions, type Rule, type Rules, redisUrlRule, resilientRules, rule } from "@ratelimit/core/backend";
import type { ClusterNode, ClusterOptions, RedisOptions, SentinelAddress } from "ioredis";
import type { RedisClient } from "./client.ts";

/** Where one Redis is. */
export interface UrlOptions {
  /** `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS; a password percent-encoded. */
  url: string;
}

/** Where a Redis Cluster is. */
export interface ClusterBackendOptions {
  /** Some of its nodes: `{ host, port }`, `"host:port"` or a URL; the client finds the others. */
  cluster: readonly ClusterNode[];
  /** For ioredis, where it needs more: user, password, TLS. `safeClusterOptions` hold where it says nothing. */
  options?: ClusterOptions | undefined;
}

/** Where the Sentinels are that know the master. */
export interface SentinelBackendOptions {
  sentinels: readonly Pick<SentinelAddress, "host" | "port">[];
  /** What the Sentinels call the master. */
  name: string;
  /** For ioredis, where it needs more: user, password, TLS. `safeRedisOptions` hold where it says nothing. */
  options?: RedisOptions | undefined;
}

/** A client that somebody else opened, and closes. */
export interface ClientOptions {
  /** An ioredis `Redis` or `Cluster`, of version 5 or 6. */
  client: RedisClient;
}

/** What a backend opens by itself. */
export type Opening = UrlOptions | ClusterBackendOptions | SentinelBackendOptions;

/** What holds for all four ways. */
export interface DecisionOptions extends Omit<ResilientOptions, "maxKeys"> {
  /** Whether a key that was just seen used up is refused without asking Redis, as long as the answer is certain; true. */
  denyCache?: boolean | undefined;
}

/** One of the four ways to Redis. */
export type RedisBackendOptions = (Opening | ClientOptions) & DecisionOptions;

const ways = ["url", "cluster", "sentinels", "client"] as const;
type Way = (typeof ways)[number];

/** Whether the options choose this way to Redis. Unlike `in`, this takes an undefined option for an absent one. */
export function isBy<W extends Way, T extends object>(options: T, way: W): options is Extract<T, Record<W, unknown>> {
  return (options as Partial<Record<Way, unknown>>)[way] !== undefined;
}

const clientMethods = ["evalsha", "eval", "info", "connect", "on", "off"] as const;

/** Whatever it was meant for, a text may be a URL with a password. */
function masked(value: unknown): unknown {
  return Array.isArray(value) ? value.map(masked) : redisUrlRule.mask?.(value);
}

const clientOptions: Rule = {
  expects: "an object of ioredis options",
  mask: masked,
  accepts: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};

/** Which options stand beside each way. */
const rulesOf: Readonly<Record<Way, Rules>> = {
  url: { url: redisUrlRule },
  cluster: {
    cluster: {
      expects: "a non-empty array of nodes",
      mask: masked,
      accepts: (value) => isFilled(value) && value.every(isNode),
      hint: 'write cluster: [{ host: "localhost", port: 6379 }]',
    },
    options: clientOptions,
  },
  sentinels: {
    sentinels: {
      expects: "a non-empty array of addresses",
      mask: masked,
      accepts: (value) => isFilled(value) && value.every(isAddress),
      hint: 'write sentinels: [{ host: "localhost", port: 26379 }]',
    },
    name: {
      expects: "what the Sentinels call the master",
      accepts: (value) => typeof value === "string" && value !== "",
      hint: 'write for example name: "mymaster"',
    },
    options: clientOptions,
  },
  client: {
    client: {
      expects: `a Redis or a Cluster of ioredis (with ${clientMethods.join(", ")})`,
      mask: masked,
      accepts: isClient,
      hint: "write client: new Redis()",
    },
  },
};

/**
 * Checks the options of a backend.
 * @throws {RateLimitError} INVALID_OPTION that tells every problem at once; a password is never shown.
 */
export function checkBackendOptions(options: unknown): asserts options is RedisBackendOptions {
  const problems = Problems.none();
  const given = ways.filter((way) => (options as Partial<Record<string, unknown>> | null | undefined)?.[way] !== undefined);
  const [way, second] = given;
  const isObject = problems.checkOptions("options", options, way === undefined || second !== undefined ? everything : only(way));
  if (isObject && given.length !== 1)
    problems.report(
      `Expected one of ${ways.map((name) => `\`${name}\``).join(", ")}, got ${given.join(" and ") || "none"}: write for example url: "redis://localhost:6379"`,
    );
  if (isObject && way === "sentinels" && options["name"] === undefined)
    problems.break("name", rulesOf.sentinels["name"] as Rule, undefined);
  problems.throwIfAny("INVALID_OPTION");
}

const decisionRules: Rules = {
  ...Object.fromEntries(Object.entries(resilientRules).filter(([option]) => option !== "maxKeys")),
  denyCache: rule.boolean,
};

const everything: Rules = { ...Object.fromEntries(Object.values(rulesOf).flatMap((rules) => Object.entries(rules))), ...decisionRules };

/** The options of one way; those of the others are out of place beside it. */
function only(way: Way): Rules {
  const elsewhere: Rule = { expects: `absent beside \`${way}\``, accepts: () => false, mask: masked };
  return { ...Object.fromEntries(Object.keys(everything).map((option) => [option, elsewhere])), ...rulesOf[way], ...decisionRules };
}

function isFilled(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.length > 0;
}

function isNode(value: unknown): boolean {
  if (typeof value === "string") return redisUrlRule.accepts(value.includes("://") ? value : `redis://${value}`);
  return typeof value === "number" ? isPort(value) : isAddress(value);
}

function isAddress(value: unknown): boolean {
  const { host, port } = (value ?? {}) as Partial<SentinelAddress>;
  return (host === undefined ? port !== undefined : typeof host === "string" && host !== "") && (port === undefined || isPort(port));
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536;
}

function isClient(value: unknown): boolean {
  const client = value as Partial<RedisClient> | null;
  return typeof client?.status === "string" && clientMethods.every((method) => typeof client[method] === "function");
}
