/// <reference path="./lua/lua.d.ts" />
import { createHash } from "node:crypto";
import bucket from "./lua/bucket.lua";

/** A script and the SHA-1 by which Redis knows it. */
export interface Script {
  readonly lua: string;
  readonly sha1: string;
}

/** Executes any number of calls on buckets. docs/state.md describes what it stores. */
export const bucketScript: Script = scriptOf(bucket);

/** Computes the SHA-1 of a script as Redis does. */
export function scriptOf(lua: string): Script {
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}

/** What the script replies for a key that holds something other than a bucket. */
export const keyFaults = ["wrongType", "neverExpires", "notOurs"] as const;
export type KeyFault = (typeof keyFaults)[number];
