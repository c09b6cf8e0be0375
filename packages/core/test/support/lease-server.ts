import { type ResilientOptions, resilient } from "@ratelimit/core";
import type { BackendReply, KeyScope, LeaseGrant, LeaseRequest } from "@ratelimit/core/backend";
import { LeasedBackend } from "../../src/lease/leased-backend.ts";
import { LeaseModel } from "./lease-model.ts";
import type { ManualTime } from "./manual-time.ts";

/** A server with a bucket for each key, a millisecond away, for the backends of several processes. */
export class LeaseServer {
  /** What it was asked, in order. */
  readonly asked: string[] = [];
  readonly requests: LeaseRequest[] = [];
  latencyMs = 1;
  isOut = false;
  readonly #time: ManualTime;
  readonly #buckets = new Map<string, LeaseModel>();

  constructor(time: ManualTime) {
    this.#time = time;
  }

  /** Tokens that processes have in hand or have not handed back after spending them: the part of `used` that does not drain. */
  bucket({ prefix, policy }: KeyScope, key: string): LeaseModel {
    const name = `${prefix}${key}`;
    const bucket = this.#buckets.get(name) ?? new LeaseModel(policy.limits);
    this.#buckets.set(name, bucket);
    bucket.pass(Math.floor(this.#time.now()));
    return bucket;
  }

  /** The backend of one process. */
  process(options: ResilientOptions = {}): LeasedBackend {
    const on = (scope: KeyScope, key: string, change: (bucket: LeaseModel) => unknown) => (): BackendReply => {
      const bucket = this.bucket(scope, key);
      return replyOf(bucket, change(bucket) !== false);
    };
    const backend = resilient(
      {
        take: (scope, key, cost) =>
          this.#answer(
            `take ${cost}`,
            on(scope, key, (bucket) => bucket.take(cost)),
          ),
        adjust: (scope, key, tokens) =>
          this.#answer(
            `adjust ${tokens}`,
            on(scope, key, (bucket) => bucket.adjust(tokens)),
          ),
        block: async (scope, key, ms) =>
          void (await this.#answer(
            `block ${ms}`,
            on(scope, key, (bucket) => bucket.block(ms)),
          )),
        reset: async (scope, key) =>
          void (await this.#answer(
            "reset",
            on(scope, key, (bucket) => bucket.reset()),
          )),
        close: () => void this.asked.push("close"),
      },
      { onOutage: () => {}, ...options },
      { time: this.#time, remembersRefusals: true, lease: (scope, key, request) => this.#lease(scope, key, request) },
    );
    return new LeasedBackend(backend, this.#time);
  }

  #lease(scope: KeyScope, key: string, request: LeaseRequest): Promise<LeaseGrant> {
    this.requests.push(request);
    return this.#answer(request.tokens === 0 ? "hand back" : "lease", () => this.bucket(scope, key).lease(request));
  }

  /** Answers a call when it has arrived, and delivers the answer. */
  async #answer<T>(what: string, answer: () => T): Promise<T> {
    this.asked.push(what);
    if (this.isOut) throw new Error("Connection is closed");
    await this.#time.after(this.latencyMs / 2, undefined);
    return this.#time.after(this.latencyMs / 2, answer());
  }
}

function replyOf(bucket: LeaseModel, allowed: boolean): BackendReply {
  const { used, blockedMs } = bucket;
  return { allowed, used: used.length === 1 ? (used[0] as number) : used, ...(blockedMs > 0 && { blockedMs }) };
}
