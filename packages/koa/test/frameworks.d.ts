/** Both are typed as Koa 3: the suites use only what all versions have. `types-of-koa2.test.ts` checks Koa 2's own types. */
declare module "koa2" {
  export { default } from "koa";
}
declare module "koa2-oldest" {
  export { default } from "koa";
}
