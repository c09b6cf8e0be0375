import { type IncomingMessage, request } from "node:http";

/** A server's response. */
export interface Reply {
  readonly status: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** Splits a line into words as a shell does. Quotes are understood, but nothing is expanded. */
export function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, "$1$2"));
}

/** Does what `curl` would do. Understands the options that the pages use, and ranges such as `?[1-10]`. */
export async function curl(args: readonly string[], port: number): Promise<Reply> {
  const headers: Record<string, string> = {};
  let [method, target, body] = ["GET", "", ""];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === "-i" || arg === "-s") continue;
    if (arg === "-I") method = "HEAD";
    else if (arg === "-X") method = args[++i] as string;
    else if (arg === "-o") i++;
    else if (arg === "-d") [method, body] = [method === "GET" ? "POST" : method, args[++i] as string];
    else if (arg === "-H") {
      const [, name = "", value = ""] = /^([^:]+): (.*)$/.exec(args[++i] as string) ?? [];
      headers[name] = value;
    } else if (arg.startsWith("http://localhost:3000") && target === "") target = arg.slice("http://localhost:3000".length) || "/";
    else throw new Error(`This test does not understand the option ${arg} of curl`);
  }
  const [, before = target, from = "1", to = "1", after = ""] = /^(.*)\[(\d+)-(\d+)\](.*)$/.exec(target) ?? [];
  let reply: Reply | undefined;
  for (let i = Number(from); i <= Number(to); i++)
    reply = await ask({ method, headers, body, port, path: before === target ? target : `${before}${i}${after}` });
  if (reply === undefined) throw new Error("curl sent no request");
  return reply;
}

function ask({
  body,
  ...options
}: {
  method: string;
  headers: Record<string, string>;
  body: string;
  port: number;
  path: string;
}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, host: "127.0.0.1" });
    const answered = (message: IncomingMessage): void => {
      let received = "";
      message.setEncoding("utf8").on("data", (chunk: string) => {
        received += chunk;
      });
      message.on("end", () => resolve(replyOf(message, received)));
    };
    sent.on("response", answered).on("error", reject);
    sent.on("upgrade", (message, socket) => {
      socket.destroy();
      resolve(replyOf(message, ""));
    });
    sent.end(body);
  });
}

function replyOf({ statusCode, statusMessage, headers }: IncomingMessage, body: string): Reply {
  return {
    status: `HTTP/1.1 ${statusCode} ${statusMessage}`,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value?.toString()])),
    body,
  };
}
