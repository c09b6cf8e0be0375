/** A complete response. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** The replies to several requests, sent one after the other. */
export interface Replies {
  readonly replies: readonly Reply[];
  readonly admitted: number;
  /** Milliseconds from the first request to the last response. */
  readonly tookMs: number;
}

export async function get(url: string, headers: Record<string, string> = {}): Promise<Reply> {
  const response = await fetch(url, { headers });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

export async function getMany(times: number, url: string, headers: Record<string, string> = {}): Promise<Replies> {
  const start = performance.now();
  const replies: Reply[] = [];
  for (let i = 0; i < times; i++) replies.push(await get(url, headers));
  const admitted = replies.filter(({ status }) => status === 200).length;
  return { replies, admitted, tookMs: performance.now() - start };
}

/** Returns the rate limit header fields as `name: value` lines. */
export function limitFields({ headers }: Reply): string[] {
  return [...headers].filter(([name]) => /ratelimit|^retry-after$/.test(name)).map(([name, value]) => `${name}: ${value}`);
}

export function remaining({ headers }: Reply): number {
  return Number(headers.get("x-ratelimit-remaining"));
}

export function retryAfter({ headers }: Reply): number {
  return Number(headers.get("retry-after"));
}
