import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, Asker } from "./ask.ts";
import type { Drawn } from "./expected.ts";
import { type Answers, after, judge, type Observation } from "./judge.ts";
import type { Step } from "./script.ts";

/** Takes every step at the servers of `urls`, one after the other in turn. */
export async function observe(urls: readonly string[], script: readonly Step[]): Promise<Observation[]> {
  const drawn = new Map<string, Drawn>();
  const observations: Observation[] = [];
  for (const step of script) {
    await sleep(step.pauseMs ?? 0);
    const from = performance.now();
    const answers = await send(urls, step);
    const account = `${step.path} ${step.client}`;
    observations.push(judge(step, answers, from, drawn.get(account)));
    drawn.set(account, after(drawn.get(account), answers, from));
  }
  return observations;
}

async function send(urls: readonly string[], { path, headers, sends }: Step): Promise<Answers> {
  const answers: Answer[] = [];
  using asker = new Asker();
  for (let i = 0; i < sends; i++) answers.push(await asker.ask(`${urls[i % urls.length]}${path}`, headers));
  return answers as [Answer, ...Answer[]];
}
