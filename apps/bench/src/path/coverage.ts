import type { Profiler } from "node:inspector";
import { Session } from "node:inspector/promises";

/** Counts how often each function of this process is called, with V8's precise coverage. */
export class CallCounts implements Disposable {
  readonly #session = new Session();

  private constructor() {
    this.#session.connect();
  }

  static async start(): Promise<CallCounts> {
    const counts = new CallCounts();
    await counts.#session.post("Profiler.enable");
    await counts.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
    return counts;
  }

  /** Returns the calls since the previous `take`. */
  async take(): Promise<Profiler.ScriptCoverage[]> {
    return (await this.#session.post("Profiler.takePreciseCoverage")).result;
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }
}
