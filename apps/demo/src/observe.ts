import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, Asker } from "./ask.ts";
import { type Answers, after, evaluate, type Observation } from "./evaluate.ts";
import type { Usage } from "./expected.ts";
import type { Step } from "./script.ts";

/** Runs the steps of a script. The requests of a step go to the servers of `urls` in turn. */
export async function observe(urls: readonly string[], script: readonly Step[]): Promise<Observation[]> {
  const usage = new Map<string, Usage>();
  const observations: Observation[] = [];
  for (const step of script) {
    await sleep(step.pauseMs ?? 0);
    const from = performance.now();
    const answers = await send(urls, step);
    const account = `${step.path} ${step.client}`;
    observations.push(evaluate(step, answers, from, usage.get(account)));
    usage.set(account, after(usage.get(account), answers, from));
  }
  return observations;
}

async function send(urls: readonly string[], { path, headers, sends }: Step): Promise<Answers> {
  const answers: Answer[] = [];
  using asker = new Asker();
  for (let i = 0; i < sends; i++) answers.push(await asker.ask(`${urls[i % urls.length]}${path}`, headers));
  return answers as [Answer, ...Answer[]];
}
