import type { Page } from "./pages.ts";
import { packages } from "./repository.ts";

/** Returns the first page of the site. Its words are the README's: what it says first, its claims and its example. */
export function homePage(pages: readonly Page[]): string {
  const readme = pages.find(({ source }) => source === "README.md")?.text ?? "";
  const [tagline = ""] = readme.split("\n").filter((line) => /^\w/.test(line));
  return `---
layout: home
hero:
  name: "@ratelimit"
  tagline: ${JSON.stringify(tagline)}
  actions:
    - { theme: brand, text: Quick start, link: /quick-start }
    - { theme: alt, text: Playground, link: /playground }
    - { theme: alt, text: API reference, link: /reference/${packages[0]?.folder}/api }
features:
${claimsOf(readme)
  .map(({ title, details }) => `  - ${JSON.stringify({ title, details })}`)
  .join("\n")}
---

${sectionOf(readme, "Example").split("\n```sh\ncurl")[0]}
`;
}

/** Reads the claims of "Why this library": a bold sentence, and what follows it up to the test that proves it. */
function claimsOf(readme: string): { title: string; details: string }[] {
  return [...sectionOf(readme, "Why this library").matchAll(/^- \*\*(.+?)\.?\*\* (.+)$/gm)].map(([, title = "", details = ""]) => ({
    title,
    details: withoutMarkup(details.replace(/ \([^`()]*`.*\)$/, "")),
  }));
}

function withoutMarkup(text: string): string {
  return text.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll("`", "");
}

function sectionOf(readme: string, heading: string): string {
  const [, section] = readme.split(`\n## ${heading}\n`);
  if (section === undefined) {
    throw new Error(`Expected the README to have the section "${heading}": the site's first page repeats it (apps/docs-site/src/home.ts)`);
  }
  const [body = ""] = section.split(/\n(?=## )/);
  return `## ${heading}\n${body}`;
}
