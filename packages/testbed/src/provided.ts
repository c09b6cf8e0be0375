import type {} from "vitest";
import type { Address } from "./client.ts";

/** What a test gets by `inject("redis")`: addresses only, for it has crossed to another process. */
export interface ProvidedRedis {
  /** Standalone. */
  readonly url: string;
  readonly cluster: readonly Address[];
  readonly sentinels: { readonly name: string; readonly addresses: readonly Address[] };
  /** TLS and ACL: the URL is of a user who may do everything; `ca` is PEM. */
  readonly tls: { readonly url: string; readonly ca: string };
}

declare module "vitest" {
  export interface ProvidedContext {
    redis: ProvidedRedis;
  }
}
