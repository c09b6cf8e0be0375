import { randomBytes } from "node:crypto";

/** The rights that the limiter's user needs according to the README. */
export const rights: readonly string[] = [
  "~ratelimit:*",
  "+evalsha",
  "+eval",
  "+get",
  "+set",
  "+pttl",
  "+pexpire",
  "+del",
  "+ping",
  "+hello",
  "+info",
];

/** The rights that the user needs in a Cluster. */
export const clusterRights: readonly string[] = [...rights, "+cluster|slots", "+cluster|shards", "+cluster|info"];

/** A server or a Cluster node. */
interface Node {
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** Creates a user with exactly these rights on all nodes. */
export async function makeUser(nodes: readonly Node[], rights: readonly string[]): Promise<{ username: string; password: string }> {
  const [username, password] = [`limiter-${randomBytes(6).toString("hex")}`, randomBytes(12).toString("hex")];
  await Promise.all(nodes.map((node) => node.call("ACL", "SETUSER", username, "reset", "on", `>${password}`, ...rights)));
  return { username, password };
}
