import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { canPin } from "./machine.ts";

/** The functions that a worker process offers, by the name of the question. */
export type Answers = Readonly<Record<string, (args: never) => unknown>>;

/** The program of a worker process. `open` creates the one subject that the process measures. */
export interface Station {
  open(setup: never): Answers | Promise<Answers>;
}

interface Question {
  readonly question: string;
  readonly args: unknown;
}

type Answer = { readonly value?: unknown } | { readonly error: string };

export interface WorkerOptions {
  /** The core to pin the process to, if the machine allows it. */
  readonly core?: number;
  /** Additional command-line flags for Node. */
  readonly flags?: readonly string[];
}

/** A process that measures one subject on request. It answers one question at a time. */
export class Worker implements AsyncDisposable {
  readonly #child: ReturnType<typeof fork>;
  readonly #name: string;
  #lastAnswer: Promise<unknown> = Promise.resolve();

  private constructor(name: string, child: ReturnType<typeof fork>) {
    this.#name = name;
    this.#child = child;
  }

  static async start(kind: string, setup: object, { core, flags = [] }: WorkerOptions = {}): Promise<Worker> {
    const pinned = core !== undefined && canPin();
    const child = fork(fileURLToPath(new URL("./main.js", import.meta.url)), ["worker", kind, JSON.stringify(setup)], {
      env: { ...process.env, NODE_ENV: "production" },
      ...(pinned ? { execPath: "taskset", execArgv: ["-c", String(core), process.execPath, ...flags] } : { execArgv: [...flags] }),
    });
    const worker = new Worker(`${kind} ${JSON.stringify(setup)}`, child);
    await worker.#answer();
    return worker;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Sends a question and waits for its answer. A question that is asked meanwhile waits for its turn. */
  ask(question: string, args?: object): Promise<unknown> {
    const answer = this.#lastAnswer.then(() => {
      const next = this.#answer();
      this.#child.send({ question, args } satisfies Question);
      return next;
    });
    this.#lastAnswer = answer.catch(() => {});
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => {
        reject(new Error(`${this.#name} ended with ${code} before it answered`));
      };
      this.#child.once("exit", onExit);
      this.#child.once("message", (answer: Answer) => {
        this.#child.off("exit", onExit);
        if ("error" in answer) reject(new Error(`${this.#name}: ${answer.error}`));
        else resolve(answer.value);
      });
    });
  }
}

/** Answers the questions of the parent process. Runs in the worker process. */
export async function serve(station: Station, setup: string): Promise<void> {
  const send = (answer: Answer): void => {
    process.send?.(answer);
  };
  const attempt = async (work: () => unknown): Promise<void> => {
    try {
      send({ value: await work() });
    } catch (error) {
      send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  };
  let answers: Answers = {};
  process.on("disconnect", () => process.exit());
  process.on("message", ({ question, args }: Question) => {
    void attempt(() => {
      const answer = answers[question];
      if (answer === undefined) throw new Error(`Nobody here answers ${question}`);
      return answer(args as never);
    });
  });
  await attempt(async () => {
    answers = await station.open(JSON.parse(setup) as never);
  });
}
