import { connect, type Socket } from "node:net";

/** One keep-alive connection on which requests are pipelined. */
export class Wire {
  readonly #port: number;
  #socket: Socket | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends all requests at once and returns their statuses. Requests left unanswered when the server closes the connection are resent. */
  async exchange(requests: readonly { readonly method: string; readonly text: string }[]): Promise<number[]> {
    const statuses: number[] = [];
    for (let stuck = 0; statuses.length < requests.length && stuck < 3; stuck++) {
      const before = statuses.length;
      await this.#some(requests.slice(before), statuses);
      if (statuses.length > before) stuck = 0;
    }
    return statuses;
  }

  close(): void {
    this.#socket?.destroy();
  }

  #some(requests: readonly { readonly method: string; readonly text: string }[], statuses: number[]): Promise<void> {
    return new Promise((resolve) => {
      const socket = this.#socket ?? connect(this.#port, "127.0.0.1").setNoDelay();
      this.#socket = socket;
      let [answered, rest] = [0, ""];
      const end = (): void => {
        socket.off("data", read).off("close", closed).off("error", closed);
        resolve();
      };
      const closed = (): void => {
        this.#socket = undefined;
        socket.destroy();
        end();
      };
      const read = (chunk: Buffer): void => {
        rest += chunk.toString("latin1");
        for (let answer = parse(rest, requests[answered]?.method); answer !== undefined; answer = parse(rest, requests[answered]?.method)) {
          rest = rest.slice(answer.length);
          if (answer.status < 200) continue;
          statuses.push(answer.status);
          answered++;
          if (answered === requests.length) end();
        }
      };
      socket.on("data", read).on("close", closed).on("error", closed);
      socket.write(requests.map(({ text }) => text).join(""), "latin1");
    });
  }
}

/** Finds the first response in `text`, if it is complete. */
function parse(text: string, method: string | undefined): { status: number; length: number } | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const status = Number(head.slice(9, 12));
  const start = end + 4;
  if (status < 200 || status === 204 || status === 304 || method === "HEAD") return { status, length: start };
  if (/\r\ntransfer-encoding: chunked/i.test(head)) {
    const last = text.indexOf("\r\n0\r\n\r\n", start - 2);
    return last < 0 ? undefined : { status, length: last + 7 };
  }
  const length = start + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
  return text.length < length ? undefined : { status, length };
}
