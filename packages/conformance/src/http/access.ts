import assert from "node:assert/strict";
import type { LimiterOptions } from "./app.ts";
import { limitFields } from "./client.ts";
import { assertRefused } from "./expect.ts";
import { type Fixture, type HttpRequirement, inTurn, requirement, type Site, statuses } from "./requirement.ts";

/** Spellings of addresses that the networks of {@link lists} contain. */
const inside = ["10.1.2.3", "::ffff:10.9.9.9", "::ffff:a09:909", "64:ff9b::10.1.2.3", "192.0.2.7", "2001:db8:7::1", "2001:DB8:0007::2"];
const outside = ["11.1.2.3", "192.0.2.8", "2001:db8:8::1", "::ffff:11.1.1.1"];
const lists = ["10.0.0.0/8", "192.0.2.7", "2001:db8:7::/48"];

function behindProxy(fixture: Fixture, options: LimiterOptions): Promise<Site> {
  return fixture.site({ limiters: [fixture.limit({ trust: 1, ...options })] });
}

const allowed = requirement("allow: addresses in its networks are not limited, in any spelling", async (fixture) => {
  const site = await behindProxy(fixture, { rate: 1, allow: lists });
  for (const address of inside) {
    const replies = await inTurn(3, () => site.get("/", { "X-Forwarded-For": address }));
    assert.deepEqual(statuses(replies), [200, 200, 200], address);
    assert.deepEqual(replies.flatMap(limitFields), [], address);
  }
  assert.deepEqual(fixture.backend.asked, []);
  for (const address of outside)
    assert.deepEqual(statuses(await inTurn(2, () => site.get("/", { "X-Forwarded-For": address }))), [200, 429], address);
});

const denied = requirement("deny: addresses in its networks get a 403 before anything is charged", async (fixture) => {
  const site = await behindProxy(fixture, { rate: 100, deny: lists, allow: ["10.1.0.0/16"] });
  for (const address of inside) {
    const reply = await site.get("/", { "X-Forwarded-For": address });
    assertRefused(reply, { kind: "denied", detail: "This address is denied." });
    assert.deepEqual(limitFields(reply), [], address);
  }
  assert.deepEqual(fixture.backend.asked, []);
  for (const address of outside) assert.equal((await site.get("/", { "X-Forwarded-For": address })).status, 200, address);
});

const platform = requirement("ip: the address that a platform's header carries is treated like any address", async (fixture) => {
  const ip = ({ headers }: { headers: NodeJS.Dict<string | string[]> }): string | undefined => headers["cf-connecting-ip"]?.toString();
  const site = await fixture.site({ limiters: [fixture.limit({ ip, deny: ["192.0.2.7"] })] });
  for (const [address, key] of [
    ["203.0.113.9", "ip:203.0.113.9"],
    ["::ffff:203.0.113.9", "ip:203.0.113.9"],
    ["2001:db8:1:2:3:4:5:6", "ip:2001:db8:1:2::/64"],
    ["2001:db8:1:2::9", "ip:2001:db8:1:2::/64"],
    ["not an address", "ip:127.0.0.1"],
  ] as const) {
    await site.get("/", { "CF-Connecting-IP": address });
    assert.equal(fixture.backend.asked.at(-1), key, address);
  }
  await site.get();
  assert.equal(fixture.backend.asked.at(-1), "ip:127.0.0.1", "without the header, the framework's address counts");
  for (const nothing of [null, ""]) {
    const trusting = await fixture.site({ limiters: [fixture.limit({ ip: () => nothing, trust: 1 })] });
    await trusting.get("/", { "X-Forwarded-For": "203.0.113.9" });
    assert.equal(fixture.backend.asked.at(-1), "ip:203.0.113.9", `if ip returns ${JSON.stringify(nothing)}, trust counts`);
  }
  const mistaken = await fixture.site({ limiters: [fixture.limit({ ip: (async () => "203.0.113.9") as never })] });
  assert.equal((await mistaken.get()).status, 500, "a promise is no address");
  assert.equal((await site.get("/", { "CF-Connecting-IP": "192.0.2.7" })).status, 403);
});

const noKey = requirement('key: "" means nobody, and the client\'s own address is no key: both are limited by address', async (fixture) => {
  const rows: readonly LimiterOptions[] = [{ key: () => "" }, { key: async () => "" }, { key: () => "127.0.0.1" }];
  for (const options of rows) {
    const site = await fixture.site({ limiters: [fixture.limit(options)] });
    await site.get();
    assert.equal(fixture.backend.asked.at(-1), "ip:127.0.0.1");
  }
});

const secretKey = requirement("no error shows the value of a key", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit({ key: ({ url }) => [url] as never })] });
  const reply = await site.get("/?token=very-secret");
  assert.equal(reply.status, 500);
  assert.doesNotMatch(JSON.stringify(reply), /very-secret/);
});

export const access: readonly HttpRequirement[] = [allowed, denied, platform, noKey, secretKey];
