import { Redis } from "ioredis";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Login extends Address {
  readonly password?: string;
}

/** Opens a connection for the setup commands of the testbed. It never retries, and every wait has a timeout. */
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
  client.on("error", () => {}); // the failing call reports it
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}

/** Returns one field of an INFO-like reply: `field("role:master\r\n", "role")` is "master". */
export function field(text: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(text)?.[1];
}
