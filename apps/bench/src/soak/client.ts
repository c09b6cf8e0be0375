import { Agent, request } from "node:http";
import { clock } from "./clock.ts";
import { fields, type Kind } from "./rules.ts";

/** One request and its response. */
export interface Reply {
  readonly server: number;
  readonly kind: Kind;
  readonly key: number;
  /** When the request was made and when its response had arrived, in ms of the shared clock. */
  readonly from: number;
  readonly to: number;
  /** The status, or the code of the error if there was no response. */
  readonly outcome: number | string;
  /** Whether the server admitted the request without Redis. */
  readonly isLocal: boolean;
}

/** Sends requests to several servers, over connections that stay open. */
export class Client {
  readonly #ports: readonly number[];
  readonly #onReply: (reply: Reply) => void;
  readonly #agent = new Agent({ keepAlive: true });
  #pending = 0;

  constructor(ports: readonly number[], onReply: (reply: Reply) => void) {
    this.#ports = ports;
    this.#onReply = onReply;
  }

  /** How many requests have no response yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Closes its connections. */
  close(): void {
    this.#agent.destroy();
  }

  /** Resolves when the response has arrived, whatever it is. */
  send(server: number, kind: Kind, key: number): Promise<void> {
    this.#pending++;
    const from = clock();
    return new Promise((resolve) => {
      const settle = (outcome: Reply["outcome"], isLocal: boolean): void => {
        this.#pending--;
        this.#onReply({ server, kind, key, from, to: clock(), outcome, isLocal });
        resolve();
      };
      const headers = { [fields.kind]: kind, [fields.key]: String(key) };
      const call = request({ host: "127.0.0.1", port: this.#ports[server], agent: this.#agent, headers });
      call.on("response", (response) => {
        response.resume();
        response.on("end", () => settle(response.statusCode ?? 0, response.headers[fields.source] === "local"));
      });
      call.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message, false));
      call.end();
    });
  }
}
