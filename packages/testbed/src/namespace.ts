import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { hold } from "./lifeline.ts";

// The keeper makes the namespace and a virtual cable into it, and waits on its stdin. When that closes, this process no longer
// needs them, or is gone (even by SIGKILL). Programs that run inside have their own guards.
const KEEPER = `
trap '' PIPE
name=$1 ours=$2 its=$3
remove() { ip link del "$name"; ip netns del "$name"; } 2>/dev/null
make() {
  ip netns add "$name" && ip link add "$name" type veth peer name eth0 netns "$name" || return 77
  ip addr add "$ours/30" dev "$name" && ip link set "$name" up &&
  ip -n "$name" addr add "$its/30" dev eth0 && ip -n "$name" link set lo up && ip -n "$name" link set eth0 up &&
  ip neigh replace "$its" dev "$name" lladdr "$(ip netns exec "$name" cat /sys/class/net/eth0/address)" nud permanent
}
make; status=$?
if [ $status = 0 ]; then command -v ip; exec >&- 2>&-; while read -r _; do :; done; fi
remove
exit $status
`;

const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`;

/** A separate network on this machine, at the other end of a virtual cable. It cannot outlive this process. */
export interface NetworkNamespace extends AsyncDisposable {
  readonly name: string;
  /** The address at which programs inside are reached from outside. */
  readonly host: string;
  /** Put this before a program and its arguments to run it inside. It keeps the same process. */
  readonly prefix: readonly string[];
  /** Pulls the cable: packets are lost both ways, and neither side is notified. */
  cut(): Promise<void>;
  /** Limits the rate to `kbits` kbit/s each way. Packets that would have to wait longer than `queueMs` are lost. */
  narrow(kbits: number, queueMs: number): Promise<void>;
  /** Drops one in `every` packets, both ways. Needs the program `iptables`. */
  lose(every: number): Promise<void>;
  /** Undoes all of these. */
  mend(): Promise<void>;
  remove(): Promise<void>;
}

/** Returns one line that says why a namespace, or packet loss in it, is not possible here, or `undefined` if it is. */
export async function whyNoNamespace({ loss = false }: { loss?: boolean } = {}): Promise<string | undefined> {
  try {
    await using namespace = await makeNamespace();
    if (loss) await namespace.lose(1000);
    return undefined;
  } catch (error) {
    if (error instanceof NotPermitted) return error.message;
    throw error;
  }
}

class NotPermitted extends Error {}

/** @internal Runs a program that configures networks. */
export async function run(program: string, ...args: readonly string[]): Promise<void> {
  await promisify(execFile)(program, args, { env: { PATH } });
}

export async function makeNamespace(): Promise<NetworkNamespace> {
  const random = randomBytes(4);
  const name = `rl-${random.toString("hex")}`; // the name of an interface has at most 15 characters
  // 198.18.0.0/15 is reserved for benchmarks.
  const [a, b, c] = [18 + (random[0]! % 2), random[1]!, random[2]! & 0xfc];
  const [ours, host] = [`198.${a}.${b}.${c + 1}`, `198.${a}.${b}.${c + 2}`];
  const keeper: ChildProcess = spawn("/bin/sh", ["-c", KEEPER, "keeper", name, ours, host], {
    env: { PATH },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true, // so that Ctrl-C in the terminal does not reach it
  });
  const stdin = keeper.stdin as Socket;
  hold(stdin);
  const ended: Promise<number | null> = new Promise((resolve) => keeper.once("exit", resolve));
  const [ip, problem] = await Promise.all([text(keeper.stdout as Socket), text(keeper.stderr as Socket)]);
  if (ip === "") {
    const message = firstLine(problem);
    throw (await ended) === 77 ? new NotPermitted(message) : new Error(`Could not make the network namespace ${name}: ${message}`);
  }
  keeper.unref();

  const inside = [ip.trim(), "netns", "exec", name] as const;
  const mends: (() => Promise<void>)[] = [];
  const remove = async (): Promise<void> => {
    keeper.ref();
    stdin.end();
    await ended;
  };
  return {
    name,
    host,
    prefix: inside,
    cut: async () => {
      await run(...inside, "ip", "link", "set", "eth0", "down");
      mends.push(() => run(...inside, "ip", "link", "set", "eth0", "up"));
    },
    narrow: async (kbits, queueMs) => {
      const bucket = ["root", "tbf", "rate", `${kbits}kbit`, "burst", "2kb", "latency", `${queueMs}ms`];
      await run("tc", "qdisc", "add", "dev", name, ...bucket);
      await run(...inside, "tc", "qdisc", "add", "dev", "eth0", ...bucket);
      mends.push(() => run("tc", "qdisc", "del", "dev", name, "root"));
      mends.push(() => run(...inside, "tc", "qdisc", "del", "dev", "eth0", "root"));
    },
    lose: async (every) => {
      const rule = ["-m", "statistic", "--mode", "nth", "--every", String(every), "--packet", "0", "-j", "DROP"];
      try {
        for (const chain of ["INPUT", "OUTPUT"]) await run(...inside, "iptables", "-A", chain, ...rule);
      } catch (error) {
        throw new NotPermitted(firstLine(String((error as { stderr?: string }).stderr)));
      }
      mends.push(() => run(...inside, "iptables", "-F"));
    },
    mend: async () => {
      for (const mend of mends.splice(0)) await mend();
    },
    remove,
    [Symbol.asyncDispose]: remove,
  };
}

function firstLine(text: string): string {
  return text.trimStart().split("\n")[0] as string;
}
