/// <reference path="./lua/lua.d.ts" />
import { createHash } from "node:crypto";
import bucket from "./lua/bucket.lua";

/** A script, and the name by which Redis remembers it. */
export interface Script {
  readonly lua: string;
  readonly sha1: string;
}

/** Every call on a bucket, one or many of them: docs/state.md describes what it stores. */
export const bucketScript: Script = scriptOf(bucket);

/** Names a script as Redis does. */
export function scriptOf(lua: string): Script {
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}

/** What the script replies for a key that holds something else than a bucket. */
export const keyFaults = ["wrongType", "neverExpires", "notOurs"] as const;
export type KeyFault = (typeof keyFaults)[number];
