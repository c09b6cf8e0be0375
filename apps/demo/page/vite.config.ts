import { defaultClientConditions, defineConfig } from "vite";

export default defineConfig({
  base: "/page/",
  // Core's sources are one module for each idea, so the bundle has the arithmetic alone. The built files also have what needs Node.
  resolve: { conditions: ["@ratelimit/source", ...defaultClientConditions] },
  build: {
    outDir: "../dist/public",
    emptyOutDir: true,
    // The CSP that `src/page/listener.ts` sends allows no inline images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // A door of core leads to modules that import Node's, but none of those gets into the bundle: a test looks for them.
      onLog: (level, log, report) => {
        if (!log.message.includes("externalized for browser compatibility")) report(level, log);
      },
    },
  },
  logLevel: "warn",
});
