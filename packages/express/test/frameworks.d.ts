/** Both are typed as Express 5: the suites use only what all versions have. `types-of-express4.test.ts` checks Express 4's own types. */
declare module "express4" {
  export { default } from "express";
}
declare module "express4-oldest" {
  export { default } from "express";
}
