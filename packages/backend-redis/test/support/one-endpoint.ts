import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { slotOf } from "../../src/slots.ts";

/** A proxy with one endpoint in front of Redis. It refuses scripts with keys of different slots, as the proxies of clusters do. */
export interface OneEndpoint extends AsyncDisposable {
  readonly url: string;
  /** How many scripts it has refused. */
  readonly refused: number;
}

/** A command as received: its arguments and its bytes. */
interface Command {
  readonly args: readonly string[];
  readonly bytes: Buffer;
}

/** Starts such a proxy. It answers a script that it refuses with `message`. */
export async function startOneEndpoint(target: { host: string; port: number }, message: string): Promise<OneEndpoint> {
  const sockets = new Set<Socket>();
  let refused = 0;
  // Let Redis send the error for the proxy, so that it keeps its place among the other replies.
  const refusal = encode(["EVAL", "return redis.error_reply(ARGV[1])", "0", message]);
  const listener = createServer((client) => {
    const server = connect(target);
    let rest: Buffer = Buffer.alloc(0);
    client.on("data", (chunk) => {
      const read = commandsIn(Buffer.concat([rest, chunk]));
      rest = read.rest;
      for (const { args, bytes } of read.commands) {
        if (isAcrossSlots(args)) refused++;
        server.write(isAcrossSlots(args) ? refusal : bytes);
      }
    });
    server.pipe(client);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        server.destroy();
      });
    }
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    url: `redis://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    get refused() {
      return refused;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, "close");
    },
  };
}

function isAcrossSlots([name = "", , keys, ...args]: readonly string[]): boolean {
  return /^eval/i.test(name) && new Set(args.slice(0, Number(keys)).map(slotOf)).size > 1;
}

function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join("")}`;
}

/** Splits the received bytes into complete commands and the rest. */
function commandsIn(received: Buffer): { commands: Command[]; rest: Buffer } {
  const commands: Command[] = [];
  let start = 0;
  for (;;) {
    const command = commandAt(received, start);
    if (command === undefined) return { commands, rest: received.subarray(start) };
    commands.push(command);
    start += command.bytes.length;
  }
}

function commandAt(received: Buffer, start: number): Command | undefined {
  let at = start;
  const line = (): number | undefined => {
    const end = received.indexOf("\r\n", at);
    if (end < 0) return undefined;
    const number = Number(received.toString("latin1", at + 1, end));
    at = end + 2;
    return number;
  };
  const args: string[] = [];
  for (let left = line(); left !== 0; left--) {
    const length = left === undefined ? undefined : line();
    if (left === undefined || length === undefined || at + length + 2 > received.length) return undefined;
    args.push(received.toString("utf8", at, at + length));
    at += length + 2;
  }
  return { args, bytes: received.subarray(start, at) };
}
