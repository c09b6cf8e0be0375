import { partners } from "./limits.ts";

/** The figures of one limit of a route, written out again so that the check does not read them from the code that it checks. */
export interface Bucket {
  /** Its `X-RateLimit-Limit`. */
  readonly limit: number;
  /** Tokens in a full bucket. */
  readonly tokens: number;
  /** Milliseconds until one more token is added. */
  readonly everyMs: number;
}

/** Requests for one path. Each is sent when the one before has been answered. */
export interface Step {
  readonly path: string;
  readonly sends: number;
  /** The client, as the table shows it. Steps with the same client and path use the same buckets. */
  readonly client: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds to wait before the first request. */
  readonly pauseMs?: number;
  /** Empty if the path is not limited. */
  readonly buckets: readonly Bucket[];
  /** The exact header fields that the first answer must have. */
  readonly fields?: Readonly<Record<string, string>>;
}

const address = "the address";
const publicBucket: Bucket = { limit: 10, tokens: 10, everyMs: 6000 };
const userBucket: Bucket = { limit: 100, tokens: 100, everyMs: 600 };
const partnerBucket: Bucket = { limit: 1000, tokens: 1000, everyMs: 3600 };
const dataBucket: Bucket = { limit: 100, tokens: 150, everyMs: 600 };
const reportBuckets: readonly Bucket[] = [
  { limit: 10, tokens: 10, everyMs: 100 },
  { limit: 20, tokens: 20, everyMs: 180_000 },
];
const [firstPartner = "", secondPartner = ""] = partners;

/** The requests that every combination gets. */
export const script: readonly Step[] = [
  { path: "/health", client: address, sends: 20, buckets: [] },
  { path: "/api/public", client: address, sends: 13, buckets: [publicBucket] },
  { path: "/api/user", client: "ada", headers: { "X-User": "ada" }, sends: 105, buckets: [userBucket] },
  { path: "/api/user", client: "bob", headers: { "X-User": "bob" }, sends: 1, buckets: [userBucket] },
  { path: "/api/partner", client: firstPartner, headers: { "X-API-Key": firstPartner }, sends: 1005, buckets: [partnerBucket] },
  { path: "/api/partner", client: secondPartner, headers: { "X-API-Key": secondPartner }, sends: 1, buckets: [partnerBucket] },
  { path: "/api/partner", client: address, headers: { "X-API-Key": "a guess" }, sends: 1, buckets: [partnerBucket] },
  { path: "/api/partner", client: address, headers: { "X-API-Key": "another guess" }, sends: 1, buckets: [partnerBucket] },
  { path: "/api/data", client: address, sends: 155, buckets: [dataBucket] },
  {
    path: "/api/report",
    client: address,
    sends: 20,
    buckets: reportBuckets,
    fields: {
      "ratelimit-policy": '"second";q=10;w=1, "hour";q=20;w=3600',
      ratelimit: '"second";r=9;t=1, "hour";r=19;t=3420',
    },
  },
  { path: "/api/data", client: address, sends: 3, pauseMs: 1100, buckets: [dataBucket] },
  { path: "/api/report", client: address, sends: 12, buckets: reportBuckets },
  { path: "/health", client: address, sends: 1, buckets: [] },
];

/** The requests that servers with shared buckets get in turn. */
export const sharedScript: readonly Step[] = [
  { path: "/api/public", client: address, sends: 13, buckets: [publicBucket] },
  { path: "/api/user", client: "ada", headers: { "X-User": "ada" }, sends: 105, buckets: [userBucket] },
  { path: "/api/data", client: address, sends: 155, buckets: [dataBucket] },
  { path: "/api/data", client: address, sends: 3, pauseMs: 1100, buckets: [dataBucket] },
];
