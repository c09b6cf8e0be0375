import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CertificateKind, makeCertificate } from "./certificate.ts";
import { type Address, withClient } from "./client.ts";
import { binding, COMMON, type RedisServer, startServer } from "./server.ts";

export interface TlsOptions {
  certificate?: CertificateKind;
  /** Additional arguments for redis-server. */
  args?: readonly string[];
}

export interface RedisUser {
  readonly username: string;
  readonly password: string;
  /** `rediss://username:password@host:port`. */
  readonly url: string;
}

/** A server that speaks TLS and requires a user and a password. */
export interface TlsServer extends AsyncDisposable {
  /** The URL of the user `default`, who may do everything. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** The same server without TLS, for setup, and to test that a `rediss:` URL never connects in the clear. */
  readonly plain: Address;
  /** The certificate authority that a client must trust, as PEM. */
  readonly ca: string;
  readonly caPath: string;
  readonly certPath: string;
  readonly keyPath: string;
  /** Its `port` is the plain one and its `secondPort` is for TLS. */
  readonly server: RedisServer;
  /** Creates or replaces a user with exactly these ACL rules, such as `["~ratelimit:*", "+evalsha"]`. The user survives `restart()`. */
  createUser(name: string, rules: readonly string[]): Promise<RedisUser>;
  deleteUser(name: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startTls({ certificate = "valid", args = [] }: TlsOptions = {}): Promise<TlsServer> {
  const password = randomBytes(12).toString("hex");
  let files: Awaited<ReturnType<typeof makeCertificate>> | undefined;
  const server = await startServer({
    password,
    args: async ({ dir, port, secondPort }) => {
      files = await makeCertificate(dir, certificate);
      const users = join(dir, "users.acl");
      await writeFile(users, `user default on >${password} ~* &* +@all\n`);
      return [
        ...["--port", String(port), "--tls-port", String(secondPort), "--tls-auth-clients", "no"],
        ...["--tls-ca-cert-file", files.caPath, "--tls-cert-file", files.certPath, "--tls-key-file", files.keyPath],
        ...["--aclfile", users],
        ...binding(),
        ...COMMON,
        ...args,
      ];
    },
  });
  const plain = server.address;
  const { host, secondPort: port } = server;
  const user = (username: string, secret: string): RedisUser => ({
    username,
    password: secret,
    url: `rediss://${encodeURIComponent(username)}:${secret}@${host}:${port}`,
  });
  const acl = (...command: string[]): Promise<void> =>
    withClient({ ...plain, password }, async (client) => {
      await client.call("ACL", ...command);
      await client.call("ACL", "SAVE");
    });
  const stop = (): Promise<void> => server.stop();

  return {
    ...user("default", password),
    host,
    port,
    plain,
    ...files!,
    server,
    createUser: async (name, rules) => {
      const secret = randomBytes(12).toString("hex");
      await acl("SETUSER", name, "reset", "on", `>${secret}`, ...rules);
      return user(name, secret);
    },
    deleteUser: (name) => acl("DELUSER", name),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
