import {
  Problems,
  peerOptionHint,
  type ResilientOptions,
  type Rule,
  type Rules,
  redisUrlRule,
  resilientRules,
  rule,
} from "@ratelimit/core/backend";
import type { ClusterOptions, RedisOptions } from "ioredis";
import { isClient, type RedisClient } from "./clients/adapt.ts";

/** An address. */
interface Address {
  readonly host: string;
  readonly port: number;
}

/** Connects to a single Redis server. */
export interface UrlOptions {
  /** `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. Percent-encode the password. */
  url: string;
}

/** Connects to a Redis Cluster. */
export interface ClusterBackendOptions {
  /** Some of its nodes, each as `{ host, port }`, `"host:port"` or a URL. The client discovers the others. */
  cluster: readonly (string | number | Partial<Address>)[];
  /** Passed to ioredis, for example with a user, a password or TLS. Anything it leaves out comes from `safeClusterOptions`. */
  options?: ClusterOptions | undefined;
}

/** Connects to the master that a group of Sentinels names. */
export interface SentinelBackendOptions {
  sentinels: readonly Partial<Address>[];
  /** The name by which the Sentinels know the master. */
  name: string;
  /** Passed to ioredis, for example with a user, a password or TLS. Anything it leaves out comes from `safeRedisOptions`. */
  options?: RedisOptions | undefined;
}

/** Uses a client that you open and close yourself. */
export interface ClientOptions {
  /** A client from ioredis, iovalkey, node-redis or Valkey GLIDE: docs/redis.md lists what each of them needs. */
  client: RedisClient;
}

/** Options with which the backend opens its own client. */
export type Opening = UrlOptions | ClusterBackendOptions | SentinelBackendOptions;

/** Options that apply however the backend connects. */
export interface DecisionOptions extends Omit<ResilientOptions, "maxKeys"> {
  /**
   * Whether to reject a key that Redis has just reported as used up without asking again, for as long as the answer is certain.
   * @defaultValue true
   */
  denyCache?: boolean | undefined;
}

const ways = ["url", "cluster", "sentinels", "client"] as const;
type Way = (typeof ways)[number];

/** Makes the other ways to connect a mistake that the compiler reports at the option. */
type Only<T> = T & { [O in Exclude<Way | "name" | "options", keyof T>]?: undefined };

/** How to connect to Redis, in one of four ways, and what to do when it does not answer. */
export type RedisBackendOptions = (Only<UrlOptions> | Only<ClusterBackendOptions> | Only<SentinelBackendOptions> | Only<ClientOptions>) &
  DecisionOptions;

/** Whether the options choose this way to connect. Unlike `in`, this treats an undefined option as absent. */
export function isBy<W extends Way, T extends object>(options: T, way: W): options is Extract<T, Record<W, unknown>> {
  return (options as Partial<Record<Way, unknown>>)[way] !== undefined;
}

/** Redacts every string, because any of them may be a URL with a password. */
function masked(value: unknown): unknown {
  return Array.isArray(value) ? value.map(masked) : redisUrlRule.mask?.(value);
}

const clientOptions: Rule = {
  expects: "an object of ioredis options",
  mask: masked,
  accepts: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};

/** The options that each way to connect accepts. */
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
      expects: "the name by which the Sentinels know the master",
      accepts: (value) => typeof value === "string" && value !== "",
      hint: 'write for example name: "mymaster"',
    },
    options: clientOptions,
  },
  client: {
    client: {
      expects: "an ioredis Redis or Cluster, or a client of iovalkey, node-redis (not a pool) or Valkey GLIDE",
      mask: masked,
      accepts: isClient,
      hint: "write client: new Redis()",
    },
  },
};

/**
 * Checks the options of a backend.
 * @throws {RateLimitError} INVALID_OPTION, which lists every problem and never shows a password.
 */
export function checkBackendOptions(options: unknown): asserts options is RedisBackendOptions {
  const problems = Problems.none(peerOptionHint);
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

/** The rules for one way to connect, which reject the options of the other ways. */
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
  const { host, port } = (value ?? {}) as Partial<Address>;
  return (host === undefined ? port !== undefined : typeof host === "string" && host !== "") && (port === undefined || isPort(port));
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536;
}
