import { Random } from "./random.ts";

/** A request as it goes over the wire, and the client it belongs to. */
export interface FuzzRequest {
  readonly number: number;
  readonly method: string;
  readonly text: string;
  /** The key of the client that the last proxy names, or `undefined` if it names none. */
  readonly forwarded: string | undefined;
}

const visible = String.fromCharCode(...Array.from({ length: 94 }, (_, i) => 33 + i));
const latin1 = visible + String.fromCharCode(...Array.from({ length: 128 }, (_, i) => 128 + i));
const methods = [
  "GET",
  "GET",
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "PROPFIND",
  "PURGE",
  "M-SEARCH",
  "LOCK",
];
const paths = [
  "/",
  "/health",
  "/items/1",
  "/items/%31",
  "/HEALTH",
  "//health",
  "/health/",
  "/./health",
  "/x/../health",
  "/%68ealth",
  "/%zz",
  "/%",
  "/%00",
  "/health%2f",
  "/;a=b",
];
const fields = [
  "X-API-Key",
  "Origin",
  "Access-Control-Request-Method",
  "Forwarded",
  "X-Real-IP",
  "X-Forwarded-Host",
  "X-Forwarded-Proto",
  "Cookie",
  "Authorization",
  "Accept",
  "Referer",
  "X-Original-URL",
  "Via",
  "Range",
  "If-None-Match",
];

/** Generates request `number` of a seed, and puts the number in its `X-Case` header. */
export function fuzzRequest(seed: number, number: number): FuzzRequest {
  const random = new Random(seed ^ Math.imul(number + 1, 0x9e3779b1));
  const method = random.of(methods);
  const { lines, forwarded } = forwardedFor(random);
  const others = Array.from({ length: random.below(4) }, () => `${random.of(fields)}: ${random.text(latin1, 40)}`);
  const bodied = method === "POST" || method === "PUT" || method === "PATCH";
  const body = bodied ? random.text(visible, 30) : "";
  const head = [
    `${method} ${target(random)} HTTP/1.1`,
    "Host: fuzz",
    `X-Case: ${number}`,
    ...lines,
    ...others,
    ...(bodied ? [`Content-Length: ${body.length}`] : []),
  ];
  return { number, method, text: `${head.join("\r\n")}\r\n\r\n${body}`, forwarded };
}

function target(random: Random): string {
  const path = random.once(3) ? `/${random.text(visible, 30)}` : random.of(paths);
  const query = random.once(4) ? `?${random.text(visible, 20)}` : "";
  return `${random.once(10) ? random.of(["http://fuzz", "HTTPS://fuzz:1", "http://[::1]"]) : ""}${path}${query}`;
}

function forwardedFor(random: Random): { lines: readonly string[]; forwarded: string | undefined } {
  if (random.once(8)) return { lines: [], forwarded: undefined };
  const before = Array.from({ length: random.below(4) }, () => (random.once(2) ? noAddress(random) : address(random).text));
  const last = random.once(4) ? { text: noAddress(random), key: undefined } : address(random);
  const hops = [...before, last.text];
  const comma = (): string => random.of([",", ", ", " ,\t", "  ,  "]);
  const cut = random.below(hops.length);
  const lines = [hops.slice(0, cut), hops.slice(cut)]
    .filter((list) => list.length > 0)
    .map((list) => `${random.of(["X-Forwarded-For", "x-forwarded-for"])}: ${list.reduce((text, hop) => text + comma() + hop)}`);
  return { lines, forwarded: last.key };
}

/** Returns a string that is not an address in any notation. */
function noAddress(random: Random): string {
  return `x${random.text(latin1.replaceAll(",", ""), random.once(20) ? 300 : 20)}`;
}

/** Picks one of a few thousand clients, and one of the many spellings of its address. */
function address(random: Random): { text: string; key: string } {
  return random.once(2) ? ipv4(random) : ipv6(random);
}

function ipv4(random: Random): { text: string; key: string } {
  const bytes = [10, random.below(4), random.below(8), random.below(32)];
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  const dotted = bytes.join(".");
  const hex = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  const mapped = random.of([`::ffff:${dotted}`, `::FFFF:${hex}`, `0:0:0:0:0:ffff:${hex}`, `0000:0000:0000:0000:0000:ffff:${dotted}`]);
  const text = random.of([
    dotted,
    dotted,
    `${dotted}:${random.below(65_536)}`,
    mapped,
    `[${mapped}]`,
    `[${mapped}]:${random.below(65_536)}`,
    `${mapped}%eth0`,
  ]);
  return { text, key: `ip:${dotted}` };
}

function ipv6(random: Random): { text: string; key: string } {
  const network = [0x2001, 0xdb8, random.below(8), random.of([0, 1, 0xff00, random.below(64)])];
  const host = Array.from({ length: 4 }, () => random.of([0, 0, 1, random.below(65_536)]));
  const groups = [...network, ...host];
  const plain = groups.map((group) => group.toString(16)).join(":");
  const canonical = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const spelled = random.of([plain, canonical, plain.toUpperCase(), groups.map((group) => group.toString(16).padStart(4, "0")).join(":")]);
  const text = random.of([spelled, spelled, `[${spelled}]`, `[${spelled}]:${random.below(65_536)}`, `${spelled}%en${random.below(9)}`]);
  return { text, key: `ip:${new URL(`http://[${network.map((group) => group.toString(16)).join(":")}::]`).hostname.slice(1, -1)}/64` };
}
