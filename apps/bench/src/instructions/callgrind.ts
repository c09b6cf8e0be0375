import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Worker } from "../worker.ts";

const run = promisify(execFile);

/** V8 on one thread, with its compilers and its garbage collector at fixed points of the program instead of fixed points in time. */
const flags = ["--single-threaded", "--predictable"];

/** A worker whose instructions valgrind's callgrind counts. It takes about 50 times as long as usual for everything. */
export class CountedWorker implements AsyncDisposable {
  readonly #folder: string;
  readonly #worker: Worker;

  private constructor(folder: string, worker: Worker) {
    this.#folder = folder;
    this.#worker = worker;
  }

  /** @throws {Error} if valgrind is not installed. */
  static async start(kind: string, setup: object): Promise<CountedWorker> {
    await run("callgrind_control", ["--version"]).catch(() => {
      throw new Error("This bench needs valgrind with callgrind_control: on Debian and Ubuntu, apt install valgrind");
    });
    const folder = await mkdtemp(join(tmpdir(), "ratelimit-callgrind-"));
    // V8 writes code while it runs, so valgrind must look for changed code outside of files.
    const under = ["valgrind", "--quiet", "--tool=callgrind", "--smc-check=all-non-file", `--callgrind-out-file=${join(folder, "out")}`];
    return new CountedWorker(folder, await Worker.start(kind, setup, { under, flags }));
  }

  ask(question: string, args?: object): Promise<unknown> {
    return this.#worker.ask(question, args);
  }

  /** Counts the instructions that the process executes until `work` is done. */
  async during(work: () => Promise<unknown>): Promise<number> {
    await this.#control("--zero");
    await work();
    await this.#control("--dump");
    const [dump] = (await readdir(this.#folder)).filter((file) => /^out\.\d+$/.test(file));
    const [, total] = /^totals: (\d+)$/m.exec(await readFile(join(this.#folder, dump ?? ""), "utf8")) ?? [];
    return Number(total);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.stop();
    await rm(this.#folder, { recursive: true });
  }

  async #control(command: string): Promise<void> {
    await run("callgrind_control", [command, String(this.#worker.pid)]);
  }
}
