/** The build and the tests import a script as a string. */
declare module "*.lua" {
  const source: string;
  export default source;
}
