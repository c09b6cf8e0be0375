import { randomBytes } from "node:crypto";

/** What the README says that the limiter's user needs. */
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

/** The same in a Cluster. */
export const clusterRights: readonly string[] = [...rights, "+cluster|slots", "+cluster|shards", "+cluster|info"];

/** A server, or a node of a Cluster. */
interface Node {
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** Makes a user with exactly these rights on all nodes. */
export async function makeUser(nodes: readonly Node[], rights: readonly string[]): Promise<{ username: string; password: string }> {
  const [username, password] = [`limiter-${randomBytes(6).toString("hex")}`, randomBytes(12).toString("hex")];
  await Promise.all(nodes.map((node) => node.call("ACL", "SETUSER", username, "reset", "on", `>${password}`, ...rights)));
  return { username, password };
}
