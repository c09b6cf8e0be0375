// What every runtime must do. Prints one line per thing that worked. Workers load it as a module and have no environment variables, so the
// Redis to use is passed in.
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimitError, RateLimiter } from "@ratelimit/core";
import { clientIp } from "@ratelimit/core/http";

const policy = { rate: 2, period: 60 };

/** Takes two tokens of two, is refused a third, and waits for one. */
export async function inProcess() {
  const limiter = new RateLimiter({ ...policy, backend: new MemoryBackend() });
  const allowed = [limiter.checkSync("user:1"), await limiter.check("user:1"), await limiter.check("user:1")].map(
    (result) => result.allowed,
  );
  expect(allowed.join(), "true,true,false");
  expect((await limiter.check("user:2")).remaining, 1);
  const fast = new RateLimiter({ rate: 20, period: 1, burst: 1, backend: new MemoryBackend() });
  await fast.check("key");
  expect((await fast.wait("key", { maxWait: "1s" })).allowed, true);
  // Longer than a key may be, so it is stored as a digest.
  expect((await limiter.check("x".repeat(10_000))).remaining, 1);
  expect(clientIp("10.0.0.1", { "x-forwarded-for": "2001:db8::1" }, { trust: 1 }), "2001:db8::/64");
  let caught;
  try {
    new RateLimiter({ rate: -1, backend: new MemoryBackend() });
  } catch (error) {
    caught = error;
  }
  expect(caught instanceof RateLimitError && caught.code, "INVALID_POLICY");
}

/**
 * Two backends share one budget in Redis.
 * @param {string} url
 * @param {string} name
 * @param {(url: string) => { url: string } | { client: import("ioredis").Redis }} opening how to reach it
 */
export async function inRedis(url, name, opening = (address) => ({ url: address })) {
  const { RedisBackend } = await import("@ratelimit/backend-redis");
  const backends = [1, 2].map(() => new RedisBackend({ ...opening(url), timeout: "2s", outage: "throw" }));
  const limiters = backends.map((backend) => new RateLimiter({ ...policy, name, backend }));
  const results = [];
  for (const limiter of [...limiters, ...limiters]) results.push(await limiter.check("user:1"));
  expect(results.map((result) => result.allowed).join(), "true,true,false,false");
  for (const backend of backends) await backend.close();
}

/**
 * @param {unknown} value
 * @param {unknown} wanted
 */
function expect(value, wanted) {
  if (value !== wanted) throw new Error(`Expected ${wanted}, got ${value}`);
}
