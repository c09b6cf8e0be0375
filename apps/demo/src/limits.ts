import type { Backend, RateLimitConfig } from "@ratelimit/core";
import type { Anonymous, RateLimitOptions } from "@ratelimit/core/http";

/** What an application stands on. */
export interface Site {
  readonly backend: Backend;
  /** The limit of everything that has none of its own, what stored keys begin with, and whether headers are sent. */
  readonly config: RateLimitConfig;
}

/** What an adapter takes, whichever framework it is for. */
type Limit = Pick<
  RateLimitOptions<never>,
  "backend" | "config" | "excludePaths" | "headers" | "keyPrefix" | "limits" | "name" | "period" | "rate"
>;

/** The limits of an application: a name for each, so that all processes on one Redis mean the same buckets. */
export interface Limits {
  /** By address. */
  readonly public: Limit;
  /** By user; who has none is limited by the address. */
  readonly user: Limit & { anonymous: Anonymous };
  /** By API key; an unknown one does not open a bucket, but counts for the address. */
  readonly partner: Limit & { anonymous: Anonymous; valid: (key: string) => boolean };
  /** Two at once: a request takes from both or from neither. Only `draft-8` has fields that show both. */
  readonly report: Limit;
  /** What the middleware limits, by address: every path that has no limit of its own, and none that is excluded. */
  readonly everythingElse: Limit;
}

/** The API keys that were given out. */
export const partners: readonly string[] = ["partner-1", "partner-2"];

export function limitsOn({ backend, config }: Site): Limits {
  const { keyPrefix, headers } = config;
  const shared = { backend, keyPrefix, headers };
  return {
    public: { ...shared, name: "public", rate: 10, period: 60 },
    user: { ...shared, name: "user", rate: 100, period: 60, anonymous: "address" },
    partner: { ...shared, name: "partner", rate: 1000, period: "1h", anonymous: "address", valid: (key) => partners.includes(key) },
    report: {
      ...shared,
      name: "report",
      limits: [
        { name: "second", rate: 10, period: "1s" },
        { name: "hour", rate: 20, period: "1h" },
      ],
      headers: headers === "legacy" ? ["legacy", "draft-8"] : headers,
    },
    everythingElse: { backend, config, name: "everything-else", excludePaths: ["/health"] },
  };
}
