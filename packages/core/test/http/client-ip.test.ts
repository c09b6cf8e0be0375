import { BlockList } from "node:net";
import { clientIp, type Trust } from "@ratelimit/core/http";
import fc from "fast-check";
import { expect, test } from "vitest";
import { always } from "../support/property.ts";

test.each([
  ["203.0.113.9", "203.0.113.9"],
  [" \t203.0.113.9 \t", "203.0.113.9"],
  ["203.0.113.9:5678", "203.0.113.9"],
  ["[203.0.113.9]", "203.0.113.9"],
  ["::ffff:203.0.113.9", "203.0.113.9"],
  ["::FFFF:cb00:7109", "203.0.113.9"],
  ["0:0:0:0:0:ffff:203.0.113.9", "203.0.113.9"],
  ["0000:0000:0000:0000:0000:ffff:cb00:7109", "203.0.113.9"],
  ["[::ffff:203.0.113.9]:443", "203.0.113.9"],
  ["::ffff:203.0.113.9%eth0", "203.0.113.9"],
  ["::ffff:0.0.0.0", "0.0.0.0"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:0001:0002::", "2001:db8:1:2::/64"],
  ["[2001:db8:1:2::1]:443", "2001:db8:1:2::/64"],
  ["[2001:db8:1:2::1]", "2001:db8:1:2::/64"],
  ["2001:db8::1.2.3.4", "2001:db8::/64"],
  ["fe80::1%eth0", "fe80::/64"],
  ["fe80::1", "fe80::/64"],
  ["::1", "::/64"],
  ["::", "::/64"],
  ["::203.0.113.9", "::/64"],
  ["::fffe:203.0.113.9", "::/64"],
  ["1::ffff:203.0.113.9", "1::/64"],
  ["64:ff9b::203.0.113.9", "203.0.113.9"],
  ["64:ff9b::cb00:7109", "203.0.113.9"],
  ["64:ff9b:1::cb00:7109", "64:ff9b:1::/64"],
  ["2002:cb00:7109::1", "2002:cb00:7109::/64"],
  ["2001:0:0:1::5", "2001:0:0:1::/64"],
  ["2001:db8:0:0:1::", "2001:db8::/64"],
])("the client at %j is %s", (address, identity) => {
  expect(clientIp(address, {})).toBe(identity);
});

test.each([
  ...["", " ", "unknown", '"; DROP', "_hidden", "localhost", "256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "010.1.1.1", "0x7f.0.0.1"],
  ...["2130706433", "1.2.3.4:5:6", "1.2.3.4:", "1.2.3.4/24", "::ffff:999.1.1.1", ":::1", "1:2:3:4:5:6:7:8:9", "12345::"],
  ...["[::1", "::1]", "[]", "[]:80", "%eth0", "g::1", "::1/64", "__proto__", "\u0661.2.3.4", "１.2.3.4", "a".repeat(9000), "1".repeat(101)],
])("%j is not an address", (text) => {
  expect(clientIp(text, {})).toBe("unknown");
  expect(clientIp("10.0.0.7", { "x-forwarded-for": text }, { trust: 1 })).toBe("10.0.0.7");
});

test.each<[trust: Trust, identity: string]>([
  [false, "unknown"],
  [0, "unknown"],
  [["0.0.0.0/0"], "unknown"],
  [1, "203.0.113.9"],
  [2, "198.51.100.2"],
])("without a socket, the platform counts as the first of %j proxies: %s", (trust, identity) => {
  const fields = { "x-forwarded-for": "198.51.100.2, 203.0.113.9" };
  expect(clientIp(undefined, fields, { trust })).toBe(identity);
  expect(clientIp(undefined, new Headers(fields), { trust })).toBe(identity);
  expect(clientIp(undefined, {}, { trust })).toBe("unknown");
});

test.each<[trust: Trust | undefined, forwarded: string | undefined, identity: string]>([
  [false, "203.0.113.9", "10.0.0.7"],
  [undefined, "203.0.113.9", "10.0.0.7"],
  [0, "203.0.113.9", "10.0.0.7"],
  [1, "198.51.100.2, 203.0.113.9", "203.0.113.9"],
  [2, "198.51.100.2, 203.0.113.9", "198.51.100.2"],
  [3, "198.51.100.2, 203.0.113.9", "198.51.100.2"],
  [2, "junk, 203.0.113.9", "203.0.113.9"],
  [2, "198.51.100.2, junk", "10.0.0.7"],
  [1, "", "10.0.0.7"],
  [1, undefined, "10.0.0.7"],
  [1, "203.0.113.9,", "10.0.0.7"],
  [["10.0.0.0/8"], "198.51.100.2, 203.0.113.9", "203.0.113.9"],
  [["10.0.0.0/8"], "203.0.113.9, 10.9.9.9", "203.0.113.9"],
  [["10.0.0.7"], "203.0.113.9, 10.9.9.9", "10.9.9.9"],
  [["::ffff:10.0.0.0/104"], "203.0.113.9, 10.9.9.9", "203.0.113.9"],
  [["10.0.0.0/8", "2001:db8::/32"], "203.0.113.9, 2001:db8:ffff::1", "203.0.113.9"],
  [["10.0.0.0/8", "2001:db8::/32"], "203.0.113.9, 2001:db9::1", "2001:db9::/64"],
  [["0.0.0.0/0"], "198.51.100.2, 2001:db8::1", "2001:db8::/64"],
  [["192.168.0.0/16"], "203.0.113.9", "10.0.0.7"],
  [[], "203.0.113.9", "10.0.0.7"],
])("with trust: %j, X-Forwarded-For: %j names the client %s", (trust, forwarded, identity) => {
  expect(clientIp("10.0.0.7", { "x-forwarded-for": forwarded }, { trust })).toBe(identity);
});

test("several X-Forwarded-For lines are one list", () => {
  expect(clientIp("10.0.0.7", { "x-forwarded-for": ["198.51.100.1", "198.51.100.2, 198.51.100.3"] }, { trust: 3 })).toBe("198.51.100.1");
});

test.each([
  [1, "::/1"],
  [16, "2001::/16"],
  [32, "2001:db8::/32"],
  [33, "2001:db8:8000::/33"],
  [48, "2001:db8:8001::/48"],
  [56, "2001:db8:8001:200::/56"],
  [127, "2001:db8:8001:2ff::fffe/127"],
  [128, "2001:db8:8001:2ff::ffff/128"],
])("with ipv6Prefix: %i, the client is %s", (ipv6Prefix, identity) => {
  expect(clientIp("2001:db8:8001:2ff::ffff", {}, { ipv6Prefix })).toBe(identity);
  expect(clientIp("::ffff:203.0.113.9", {}, { ipv6Prefix })).toBe("203.0.113.9");
});

const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });

/** Picks one of the many spellings of an address. */
const spelled = fc
  .tuple(groups, fc.boolean(), fc.boolean(), fc.nat(2), fc.nat(7), fc.nat(7))
  .map(([bits, upper, padded, wrap, from, to]) => {
    let text = bits.map((group) => group.toString(16).padStart(padded ? 4 : 1, "0")).join(":");
    const [start, end] = [Math.min(from, to), Math.max(from, to)];
    if (end > start && bits.slice(start, end).every((group) => group === 0))
      text = `${bits
        .slice(0, start)
        .map((group) => group.toString(16))
        .join(":")}::${bits
        .slice(end)
        .map((group) => group.toString(16))
        .join(":")}`;
    text = upper ? text.toUpperCase() : text;
    return { bits, text: [text, `[${text}]:8080`, ` ${text}%en0\t`][wrap] as string };
  });

test("however an IPv6 address is spelled, its client is the network that node:net assigns it to", () => {
  always(fc.tuple(spelled, fc.integer({ min: 1, max: 128 })), ([{ bits, text }, ipv6Prefix]) => {
    const plain = bits.map((group) => group.toString(16)).join(":");
    const identity = clientIp(text, {}, { ipv6Prefix });
    expect(identity).toBe(clientIp(plain, {}, { ipv6Prefix }));
    if (!identity.includes(":")) return expect(plain).toMatch(/^0:0:0:0:0:ffff:/);
    const [network = "", prefix] = identity.split("/");
    expect(prefix).toBe(String(ipv6Prefix));
    const list = new BlockList();
    list.addSubnet(network, ipv6Prefix, "ipv6");
    expect(list.check(plain, "ipv6")).toBe(true);
    expect(new URL(`http://[${network}]`).hostname, "RFC 5952").toBe(`[${network}]`);
  });
});

test.each([
  [{ trust: true }],
  [{ trust: -1 }],
  [{ trust: 1.5 }],
  [{ trust: "loopback" }],
  [{ trust: ["10.0.0.0/33"] }],
  [{ trust: ["10.0.0.0/"] }],
  [{ trust: ["a/8"] }],
  [{ trust: [10] }],
  [{ ipv6Prefix: 0 }],
  [{ ipv6Prefix: 129 }],
  [{ ipv6Prefix: Number.NaN }],
  [{ ipv6Prefix: "64" }],
  [{ trusted: 1 }],
])("%j causes an error that names it", (options) => {
  expect(() => clientIp("10.0.0.7", {}, options as never)).toThrow(new RegExp(`\`${Object.keys(options)[0]}\``));
});
