import type { Awaitable, KeyScope } from "../backend/backend.ts";
import type { LeaseGrant, LeaseRequest } from "../backend/lease.ts";
import { type TimeSpan, timeSpanMs } from "../policy/duration.ts";
import type { Time } from "../time.ts";
import { type Rules, rule } from "../validation.ts";
import type { OutageClass, OutageEvent, OutageMode } from "./outage-reporter.ts";

/** Options of `resilient`: how long a backend may take, and how calls are decided if it does not answer. */
export interface ResilientOptions {
  /**
   * The longest that a decision may wait for the backend, with its unit.
   * @defaultValue `"100ms"`
   */
  timeout?: TimeSpan | undefined;
  /**
   * How calls are decided while the backend is out: by a local bucket (`"local"`), all admitted (`"open"`), all refused with a 503
   * (`"closed"`), or each rejects with BACKEND (`"throw"`).
   * @defaultValue `"local"`
   */
  outage?: OutageMode | undefined;
  /**
   * The number of processes that share the limits. During an outage each admits its part of a local bucket. With 1, N processes admit
   * N times the limit.
   * @defaultValue 1
   */
  instances?: number | undefined;
  /** Called on failures, at most once per second and class, and once on each recovery. */
  onOutage?: ((event: OutageEvent) => void) | undefined;
  /**
   * The most local buckets to keep.
   * @defaultValue 100,000
   */
  maxKeys?: number | undefined;
}

/** What `resilient` may know about a backend, such as which of several servers keeps a bucket. */
export interface BackendParts {
  /** Names the server that keeps a bucket. Each server has its own circuit breaker. */
  serverOf?(scope: KeyScope, key: string): string;
  /** Checks whether a server has recovered. Like a decision, it must write: to a short-lived key under the scope's prefix. */
  probe?(scope: KeyScope, server: string): Awaitable<unknown>;
  /** Grants tokens in advance, for policies with `lease`. Like `take`, it must be atomic per key across all processes. */
  lease?(scope: KeyScope, key: string, request: LeaseRequest): Awaitable<LeaseGrant>;
  /** Classifies a failure. */
  classOf?(error: unknown): OutageClass;
  /** Whether to refuse recently exhausted keys without asking. Correct if other processes can only take more tokens in the meantime. */
  readonly remembersRefusals?: boolean;
  /**
   * The clock and timers for deadlines and breakers.
   * @defaultValue those of the process
   */
  readonly time?: Time;
}

const outages: readonly unknown[] = ["local", "open", "closed", "throw"] satisfies OutageMode[];

/** The rules of {@link ResilientOptions}, for backends that take them among their own options. */
export const resilientRules: Rules = {
  timeout: {
    expects: "a length of time with its unit",
    accepts: (value) => timeSpanMs(value) !== undefined,
    hint: 'write timeout: "100ms" (a bare 100 would be 100 s)',
  },
  outage: { expects: '"local", "open", "closed" or "throw"', accepts: (value) => outages.includes(value) },
  instances: { ...rule.positiveInteger, hint: "write the number of processes that share the limits" },
  onOutage: rule.function,
  maxKeys: rule.positiveInteger,
};
