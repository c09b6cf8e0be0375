import { definePolicy } from "@ratelimit/core";
import { adjustBucket, type Bucket, blockBucket, takeFromBucket } from "@ratelimit/core/backend";
import { describe, expect, test } from "vitest";

const old = definePolicy({ rate: 1, period: "1s", burst: 1 });
const policy = definePolicy({ rate: 7, period: "1s", burst: 7 });

/** A bucket that is full again at 1000 ms, and that no backend has deleted since. */
const over = takeFromBucket([], old, 1, 0).bucket as Bucket;

describe("a bucket that is full and not blocked any more counts as an empty list", () => {
  test.each([999, 1000, 5000])("at %i ms", (now) => {
    const [left, kept] = now < 1000 ? [over, 1] : [[], 0];
    expect(takeFromBucket(over, policy, 1, now)).toEqual(takeFromBucket(left, policy, 1, now));
    expect(adjustBucket(over, policy, 1, now)).toEqual(adjustBucket(left, policy, 1, now));
    expect(blockBucket(over, 100, now)).toHaveLength(kept + 1);
  });

  test("so a refusal that blocks the key stores nothing for a clock that steps back", () => {
    const { bucket } = takeFromBucket(over, { ...policy, blockMs: 700 }, 8, 1000);
    expect(takeFromBucket(bucket as Bucket, policy, 0, 999).reply).toMatchObject({ used: 0, blockedMs: 701 });
  });
});
