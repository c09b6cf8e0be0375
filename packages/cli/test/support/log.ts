/** A request to write into a log. */
export interface Request {
  /** Unix time in ms. */
  readonly time: number;
  readonly ip: string;
  readonly user?: string;
  readonly agent?: string;
}

/** 2026-11-24T12:00:00Z. */
export const noon: number = Date.UTC(2026, 10, 24, 12);

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `24/Nov/2026:12:00:00 +0000` */
export function clf(ms: number): string {
  const at = new Date(ms);
  const [day = "", clock = ""] = [String(at.getUTCDate()).padStart(2, "0"), at.toISOString().slice(11, 19)];
  return `${day}/${months[at.getUTCMonth()]}/${at.getUTCFullYear()}:${clock} +0000`;
}

/** A line of each format for the same request. */
export const line = {
  common: ({ time, ip, user = "-" }: Request): string => `${ip} - ${user} [${clf(time)}] "GET /api HTTP/1.1" 200 512`,
  combined: (request: Request): string => `${line.common(request)} "https://example.com/" "${request.agent ?? "Mozilla/5.0"}"`,
  nginx: (request: Request): string => `${line.combined(request)} "198.51.100.7, 10.0.0.1"`,
  json: ({ time, ip, user, agent }: Request): string =>
    JSON.stringify({ time: new Date(time).toISOString(), remote_addr: ip, user, headers: { "User-Agent": agent ?? "Mozilla/5.0" } }),
};

/** Joins lines as a file has them. */
export function lines(requests: readonly Request[], write: (request: Request) => string = line.combined): string {
  return `${requests.map(write).join("\n")}\n`;
}

/** The requests of one address at these seconds after noon. */
export function at(ip: string, ...seconds: readonly number[]): Request[] {
  return seconds.map((second) => ({ ip, time: noon + second * 1000 }));
}

/** Random numbers from 0 to 1 that are the same in every run: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Traffic of some busy clients among many quiet ones, in order of time, in whole seconds as a log has them. */
export function* traffic({ requests, clients, seed }: { requests: number; clients: number; seed: number }): Generator<Request> {
  const random = seeded(seed);
  let time = noon;
  for (let i = 0; i < requests; i++) {
    time += random() * 200;
    // The cube makes low numbers frequent.
    const client = Math.floor(clients * random() ** 3);
    yield { time: Math.floor(time / 1000) * 1000, ip: `10.${client >> 16}.${(client >> 8) & 255}.${client & 255}` };
  }
}

/** The log of the documentation: two hours of 60 clients, of which one scrapes for four minutes, and an office behind one address. */
export function sample(): Request[] {
  const random = seeded(26);
  const within = (from: number, seconds: number): number => noon + Math.floor(from + random() * seconds) * 1000;
  const quiet = Array.from({ length: 2400 }, () => ({ ip: `192.0.2.${1 + Math.floor(random() * 58)}`, time: within(0, 7200) }));
  const office = Array.from({ length: 1500 }, () => ({ ip: "198.51.100.20", time: within(600, 6000) }));
  const scraper = Array.from({ length: 1100 }, () => ({ ip: "203.0.113.9", time: within(3000, 240) }));
  return [...quiet, ...office, ...scraper].sort((a, b) => a.time - b.time);
}
