import { Redis } from "ioredis";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Login extends Address {
  readonly password?: string;
}

/** Opens a connection for the set-up commands of the testbed: no second try, and no wait without an end. */
export async function withClient<T>(login: Login, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({
    ...login,
    lazyConnect: true,
    enableReadyCheck: false,
    connectTimeout: 2000,
    commandTimeout: 5000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  client.on("error", () => {}); // told by the call that fails
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}

/** One field of an INFO-like answer: `field(text, "role")` of "role:master\r\n" is "master". */
export function field(text: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(text)?.[1];
}
