import type {} from "vitest";
import type { Address } from "./client.ts";

/** What `inject("redis")` returns in a test. It holds only addresses, because it crosses to another process. */
export interface ProvidedRedis {
  /** The standalone server. */
  readonly url: string;
  readonly cluster: readonly Address[];
  readonly sentinels: { readonly name: string; readonly addresses: readonly Address[] };
  /** The server with TLS and ACLs: the URL of a user who may do everything, and the certificate authority as PEM. */
  readonly tls: { readonly url: string; readonly ca: string };
}

declare module "vitest" {
  export interface ProvidedContext {
    redis: ProvidedRedis;
  }
}
