// The tests' own configuration, with one bug planted while files are loaded: no file on disk changes.
import { mergeConfig } from "vitest/config";
import config from "../vitest.config.ts";
import { mutants } from "./mutants.mjs";

const mutant = mutants[Number(process.env["MUTANT"])];

export default mergeConfig(config, {
  plugins: [
    {
      name: "mutant",
      enforce: "pre",
      /**
       * @param {string} code
       * @param {string} id
       */
      transform(code, id) {
        return mutant !== undefined && id.endsWith(mutant.file) ? code.replace(mutant.from, () => mutant.to) : undefined;
      },
    },
  ],
});
