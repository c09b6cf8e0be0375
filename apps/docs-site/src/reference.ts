import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Application, ReflectionKind } from "typedoc";
import { type Door, packages, root, site } from "./repository.ts";

/** There is no file to edit. The class makes headings smaller, because they go down to the sixth level. */
const frontMatter = "---\neditLink: false\npageClass: reference\n---\n\n";
const doors = packages.flatMap(({ doors }) => doors);

/** Reads the sources and returns the pages of the reference: one for each entry point of each package, and one that lists them. */
export async function readReference(): Promise<Record<string, string>> {
  const app = await Application.bootstrapWithPlugins({
    entryPoints: doors.map(({ source }) => source),
    basePath: root,
    tsconfig: join(site, "tsconfig.reference.json"),
    plugin: ["typedoc-plugin-markdown"],
    readme: "none",
    excludeInternal: true,
    excludePrivate: true,
    disableSources: true,
    disableGit: true,
    logLevel: "Warn",
    validation: { notExported: false, invalidLink: true, invalidPath: true, notDocumented: false, unusedMergeModuleWith: true },
    ...({
      outputFileStrategy: "modules",
      entryFileName: "typedoc",
      hideBreadcrumbs: true,
      hidePageHeader: true,
      hidePageTitle: true,
      hideGroupHeadings: false,
      useHTMLEncodedBrackets: true,
      sanitizeComments: true,
      expandObjects: true,
      parametersFormat: "table",
      interfacePropertiesFormat: "table",
      classPropertiesFormat: "table",
    } as object),
  });
  const project = await app.convert();
  if (project === undefined) throw new Error("The reference could not be made: see the messages above");
  for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
    const door = doors.find(({ source }) => relative(root, source).replace(/(\/index)?\.ts$/, "") === module.name);
    if (door === undefined)
      throw new Error(`Expected ${module.name} to be an entry point of a package: see apps/docs-site/src/reference.ts`);
    // TypeDoc names pages for their module.
    module.name = door.page.replace(/^reference\/|\.md$/g, "");
  }
  await app.outputs.writeOutput({ name: "markdown", path: join(site, ".cache/reference") }, project);
  if (app.logger.hasErrors()) throw new Error("The reference could not be made: see the messages above");
  const textOf = ({ name, page }: Door): string => `${frontMatter}# ${name}\n\n${readFileSync(join(site, ".cache", page), "utf8")}`;
  return { "reference/index.md": referenceIndex(), ...Object.fromEntries(doors.map((door) => [door.page, textOf(door)])) };
}

/** Returns the page that lists the packages and their entry points. */
function referenceIndex(): string {
  const rows = packages.map(({ name, folder, doors }) => {
    const links = doors.map(({ name, page }) => `[\`${name}\`](${page.replace("reference/", "./")})`);
    return `| [${name}](./${folder}/index.md) | ${links.join("<br>")} |`;
  });
  return `${frontMatter}# API reference

Every name that a package exports, read from its sources.

| package | entry points |
| --- | --- |
${rows.join("\n")}
`;
}
