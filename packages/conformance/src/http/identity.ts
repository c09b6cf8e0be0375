import assert from "node:assert/strict";
import { type Fixture, type HttpRequirement, inTurn, requirement, type Site, statuses } from "./requirement.ts";

/** The X-Forwarded-For that one trusted proxy sends, and the bucket that it must lead to. */
const spellings: readonly (readonly [forwarded: string, key: string])[] = [
  ["203.0.113.9", "ip:203.0.113.9"],
  ["203.0.113.9:5678", "ip:203.0.113.9"],
  [" \t203.0.113.9\t ", "ip:203.0.113.9"],
  ["::ffff:203.0.113.9", "ip:203.0.113.9"],
  ["::ffff:cb00:7109", "ip:203.0.113.9"],
  ["0:0:0:0:0:FFFF:203.0.113.9", "ip:203.0.113.9"],
  ["[::ffff:203.0.113.9]:80", "ip:203.0.113.9"],
  ["198.51.100.1, 203.0.113.9", "ip:203.0.113.9"],
  ["unknown, 203.0.113.9", "ip:203.0.113.9"],
  ["203.0.113.10", "ip:203.0.113.10"],
  ["2001:db8:1:2::1", "ip:2001:db8:1:2::/64"],
  ["2001:DB8:0001:0002:ffff::", "ip:2001:db8:1:2::/64"],
  ["[2001:db8:1:2:3:4:5:6]:443", "ip:2001:db8:1:2::/64"],
  ["2001:db8:1:2::203.0.113.9", "ip:2001:db8:1:2::/64"],
  ["2001:db8:1:3::1", "ip:2001:db8:1:3::/64"],
  ["fe80::1%eth0", "ip:fe80::/64"],
];

/** Values that are not addresses, and must never become keys. */
const junk: readonly string[] = [
  ...["unknown", '"; DROP', "", " ", ",", "_hidden", "256.1.1.1", "01.2.3.4", "1.2.3", "0x7f.1", "::ffff:999.1.1.1", "1.2.3.4.5"],
  ...["203.0.113.9, unknown", "a".repeat(9000), "__proto__", "localhost", "[::1", "::1::", "%eth0"],
];

function assertKeys(fixture: Fixture, rows: readonly (readonly [sent: string, key: string])[]): void {
  assert.deepEqual(
    fixture.backend.asked.splice(0),
    rows.map(([, key]) => key),
    rows.map(([sent]) => sent.slice(0, 40)).join(" · "),
  );
}

function forwardedTo(site: Site, texts: readonly string[]): Promise<unknown> {
  return inTurn(texts.length, (i) => site.get("/", { "X-Forwarded-For": texts[i] as string }));
}

/** The three ways to trust one proxy on this machine, which must all have the same effect. */
const believing = [
  { way: "by the framework", app: { proxied: true }, options: {} },
  { way: "through trust: 1", app: {}, options: { trust: 1 } },
  { way: "through its network", app: {}, options: { trust: ["127.0.0.0/8"] } },
] as const;

const addresses = believing.map(({ way, app, options }) =>
  requirement(`behind a proxy trusted ${way}, every spelling of an address is the same client`, async (fixture) => {
    const site = await fixture.site({ ...app, limiters: [fixture.limit(options)] });
    await forwardedTo(
      site,
      spellings.map(([forwarded]) => forwarded),
    );
    assertKeys(fixture, spellings);
  }),
);

const noAddress = believing.map(({ way, app, options }) =>
  requirement(`behind a proxy trusted ${way}, a value that is not an address never becomes a key`, async (fixture) => {
    const site = await fixture.site({ ...app, limiters: [fixture.limit(options)] });
    await forwardedTo(site, junk);
    assertKeys(
      fixture,
      junk.map((text) => [text, "ip:127.0.0.1"] as const),
    );
  }),
);

const unbelieved = requirement("X-Forwarded-For from an untrusted client changes nothing", async (fixture) => {
  for (const options of [{}, { trust: false }, { trust: 0 }, { trust: ["10.0.0.0/8"] }] as const) {
    const site = await fixture.site({ limiters: [fixture.limit({ ...options, rate: 5, burst: 5 })] });
    const replies = await inTurn(8, (i) => site.get("/", { "X-Forwarded-For": `203.0.113.${i}`, Forwarded: `for=203.0.113.${i}` }));
    assert.deepEqual(statuses(replies), [200, 200, 200, 200, 200, 429, 429, 429], JSON.stringify(options));
    assertKeys(
      fixture,
      replies.map(() => ["", "ip:127.0.0.1"] as const),
    );
  }
});

const ownTrustWins = requirement("trust: false overrides a framework that trusts its proxy", async (fixture) => {
  const site = await fixture.site({ proxied: true, limiters: [fixture.limit({ trust: false })] });
  await forwardedTo(site, ["203.0.113.9"]);
  assertKeys(fixture, [["203.0.113.9", "ip:127.0.0.1"]]);
});

const walk = requirement("several proxies are walked from the right, up to the last valid address", async (fixture) => {
  const rows = [
    [{ trust: 1 }, "198.51.100.1, 198.51.100.2, 198.51.100.3", "ip:198.51.100.3"],
    [{ trust: 2 }, "198.51.100.1, 198.51.100.2, 198.51.100.3", "ip:198.51.100.2"],
    [{ trust: 3 }, "198.51.100.1, 198.51.100.2, 198.51.100.3", "ip:198.51.100.1"],
    [{ trust: 9 }, "198.51.100.1, 198.51.100.2, 198.51.100.3", "ip:198.51.100.1"],
    [{ trust: 3 }, "198.51.100.1, junk, 198.51.100.3", "ip:198.51.100.3"],
    [{ trust: ["127.0.0.1", "10.0.0.0/8"] }, "198.51.100.1, 198.51.100.2, 10.1.2.3", "ip:198.51.100.2"],
    [{ trust: ["127.0.0.1", "10.0.0.0/8"] }, "198.51.100.1, ::ffff:10.1.2.3, [::ffff:a01:203]:80", "ip:198.51.100.1"],
    [{ trust: ["::ffff:127.0.0.0/104", "2001:db8::/32"] }, "198.51.100.1, 2001:db8::5", "ip:198.51.100.1"],
  ] as const;
  for (const [options, forwarded, key] of rows) {
    const site = await fixture.site({ limiters: [fixture.limit(options)] });
    await forwardedTo(site, [forwarded]);
    assertKeys(fixture, [[forwarded, key]]);
  }
});

const twoLines = requirement("two X-Forwarded-For lines are one list", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit({ trust: 2 })] });
  await site.get("/", { "X-Forwarded-For": ["198.51.100.1", "198.51.100.2, 198.51.100.3"] });
  assertKeys(fixture, [["two lines", "ip:198.51.100.2"]]);
});

const missing = requirement("a proxy that names no client is itself the client", async (fixture) => {
  const site = await fixture.site({ limiters: [fixture.limit({ trust: 2 })] });
  await site.get("/", { Connection: "close, X-Forwarded-For" });
  assertKeys(fixture, [["no field", "ip:127.0.0.1"]]);
});

const prefix = requirement("ipv6Prefix sets how many bits identify a client, and leaves IPv4 addresses whole", async (fixture) => {
  const rows = [
    [56, "2001:db8:1:2ff::1", "ip:2001:db8:1:200::/56"],
    [64, "2001:db8:1:2ff::1", "ip:2001:db8:1:2ff::/64"],
    [128, "2001:db8:1:2ff::1", "ip:2001:db8:1:2ff::1/128"],
    [32, "2001:db8:1:2ff::1", "ip:2001:db8::/32"],
    [32, "::ffff:203.0.113.9", "ip:203.0.113.9"],
    [1, "203.0.113.9", "ip:203.0.113.9"],
  ] as const;
  for (const [ipv6Prefix, forwarded, key] of rows) {
    const site = await fixture.site({ limiters: [fixture.limit({ trust: 1, ipv6Prefix })] });
    await forwardedTo(site, [forwarded]);
    assertKeys(fixture, [[forwarded, key]]);
  }
});

const secret = requirement("with keySecret, no address is stored and one address stays one bucket", async (fixture) => {
  const keySecret = "a secret of the test";
  const site = await fixture.site({ limiters: [fixture.limit({ trust: 1, keySecret })] });
  await forwardedTo(site, ["203.0.113.9", "::ffff:203.0.113.9", "203.0.113.10"]);
  const [one, again, other] = fixture.backend.asked;
  assert.match(one ?? "", /^ip:[0-9a-f]{64}$/);
  assert.equal(again, one);
  assert.notEqual(other, one);
  const another = await fixture.site({ limiters: [fixture.limit({ trust: 1, keySecret: Buffer.from(`${keySecret}!`) })] });
  await forwardedTo(another, ["203.0.113.9"]);
  assert.notEqual(fixture.backend.asked.at(-1), one, "another secret must give another key");
});

export const identity: readonly HttpRequirement[] = [
  ...addresses,
  ...noAddress,
  unbelieved,
  ownTrustWins,
  walk,
  twoLines,
  missing,
  prefix,
  secret,
];
