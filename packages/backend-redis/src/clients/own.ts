import { createRequire } from "node:module";
import { RateLimitError } from "@ratelimit/core/backend";
import { isBy, type Opening } from "../options.ts";
import { type OwnClient, once } from "./client.ts";
import { Ioredis, type IoredisClient } from "./ioredis.ts";
import { safeClusterOptions, safeRedisOptions } from "./safe-options.ts";

/** A client that the backend opened, and therefore closes. */
interface OwnIoredisClient extends IoredisClient {
  quit(): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
}

/** The constructors of ioredis. */
interface IoredisPackage {
  Redis: new (options: object) => OwnIoredisClient;
  Cluster: new (nodes: readonly unknown[], options: object) => OwnIoredisClient;
}

/** Makes ioredis 6 reply as version 5 does. The user's options cannot change this. */
const replies = { replyMapping: "legacy" } as const;

/**
 * Opens a client with ioredis.
 * @throws {RateLimitError} INVALID_OPTION if ioredis is not installed.
 */
export function open(opening: Opening): OwnClient {
  return new OwnIoredis(openIoredis(opening));
}

/** Opens a `Redis` or `Cluster`. The ioredis options that the user passes take precedence over the safe ones. */
export function openIoredis(opening: Opening): OwnIoredisClient {
  const { Redis, Cluster } = loadIoredis();
  if (isBy(opening, "url")) return new Redis({ ...safeRedisOptions, ...addressOf(opening.url), ...replies });
  if (isBy(opening, "sentinels")) {
    const { sentinels, name } = opening;
    return new Redis({ ...safeRedisOptions, ...given(opening.options), sentinels: [...sentinels], name, ...replies });
  }
  const { redisOptions, ...options } = given<{ redisOptions?: object | undefined }>(opening.options);
  return new Cluster([...opening.cluster], {
    ...safeClusterOptions,
    ...options,
    redisOptions: { ...safeClusterOptions.redisOptions, ...given(redisOptions), ...replies },
  });
}

/**
 * Loads ioredis only now, so that users of another client need not install it. It is loaded synchronously, so that the constructor of the
 * backend can throw: docs/decisions/ioredis-on-demand.md.
 */
function loadIoredis(): IoredisPackage {
  try {
    return createRequire(import.meta.url)("ioredis") as IoredisPackage;
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "MODULE_NOT_FOUND") throw cause;
    throw new RateLimitError(
      "INVALID_OPTION",
      "Expected the package ioredis to be installed, because `url`, `cluster` and `sentinels` use it: run `npm install ioredis`, or pass a client of another library as `client`",
      { cause },
    );
  }
}

/** Copies all defined options, including inherited ones. An undefined one would replace a safe default with that of ioredis. */
function given<T extends object>(options: T | undefined): Partial<T> {
  const all: Partial<T> = {};
  for (const name in options) if (options[name] !== undefined) all[name] = options[name];
  return all;
}

/** Parses the URL here, because ioredis accepts more than `redisUrlRule` does and could read the address differently. */
function addressOf(url: string): object {
  const { protocol, hostname, port, username, password, pathname, searchParams } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || 6379),
    db: Number(pathname.slice(1)),
    family: Number(searchParams.get("family") ?? 0),
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" && { tls: {} }),
  };
}

/** How many ms QUIT may take, and how many more the connection may take to end. */
const [quitMs, endMs] = [300, 1200];

class OwnIoredis extends Ioredis implements OwnClient {
  readonly #client: OwnIoredisClient;

  constructor(client: OwnIoredisClient) {
    super(client);
    this.#client = client;
  }

  reconnect(): void {
    this.#client.disconnect(true);
  }

  async close(): Promise<void> {
    const client = this.#client;
    const { status } = client;
    const ended = once(client, ["end"], AbortSignal.timeout(quitMs + endMs));
    await Promise.race([client.quit().catch(() => {}), once(client, ["end"], AbortSignal.timeout(quitMs))]);
    client.disconnect();
    if (client.status !== "end" && status !== "reconnecting") await ended;
  }
}
