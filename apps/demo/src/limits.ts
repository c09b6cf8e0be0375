import type { Backend, RateLimitConfig } from "@ratelimit/core";
import type { Anonymous, RateLimitOptions } from "@ratelimit/core/http";

/** What an application needs. */
export interface Site {
  readonly backend: Backend;
  /** The limit of everything without its own, the prefix of stored keys, and the headers to send. */
  readonly config: RateLimitConfig;
}

/** The options that all adapters have in common. */
type Limit = Pick<
  RateLimitOptions<never>,
  "backend" | "config" | "excludePaths" | "headers" | "keyPrefix" | "limits" | "name" | "period" | "rate"
>;

/** The limits of an application. Each has a name, so that all processes on one Redis use the same buckets. */
export interface Limits {
  /** By address. */
  readonly public: Limit;
  /** By user. Requests without a user are limited by address. */
  readonly user: Limit & { anonymous: Anonymous };
  /** By API key. Requests with an unknown key are limited by address, so that inventing keys opens no buckets. */
  readonly partner: Limit & { anonymous: Anonymous; valid: (key: string) => boolean };
  /** Two limits: a request takes a token from both or from neither. Only the headers of `draft-8` show both. */
  readonly report: Limit;
  /** By address, for every path that neither has its own limit nor is excluded. */
  readonly everythingElse: Limit;
}

/** The valid API keys. */
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
