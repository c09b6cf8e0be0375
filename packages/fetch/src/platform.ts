/** What platforms pass to a handler first: Deno's info, Bun's server, or the environment of Hono's server for Node. */
interface Platform {
  readonly remoteAddr?: { readonly hostname?: unknown };
  requestIP?(request: Request): { readonly address?: unknown } | null;
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: unknown } };
}

/** What serverless platforms pass to a handler somewhere, such as the third argument of a Worker. */
interface Lasting {
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * Returns the address at the other end of the connection, if the platform says it. Elsewhere, fetch handlers have no connection, and
 * `trust` or `ip` says where the address is.
 */
export function addressOf(request: Request, [platform]: readonly unknown[]): string | undefined {
  if (typeof platform !== "object" || platform === null) return undefined;
  const { remoteAddr, incoming } = platform as Platform;
  const server = platform as Platform;
  // A Worker's environment may have bindings with these names, so whatever is no string is no address.
  const address =
    remoteAddr?.hostname ??
    incoming?.socket?.remoteAddress ??
    (typeof server.requestIP === "function" ? server.requestIP(request)?.address : undefined);
  return typeof address === "string" ? address : undefined;
}

/** Lets work go on after the response where the platform would stop it. */
export function keepAlive(work: Promise<unknown>, context: readonly unknown[]): void {
  context.find(isLasting)?.waitUntil(work);
}

function isLasting(value: unknown): value is Lasting {
  return typeof (value as Partial<Lasting> | null | undefined)?.waitUntil === "function";
}
