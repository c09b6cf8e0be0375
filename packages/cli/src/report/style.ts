/** The style sheet of the HTML report. */
export const style = `
:root { --paper: #fcfcfa; --ink: #1d2329; --faint: #59636e; --line: #dfe2e6; --all: #8fb4d9; --refused: #c8372d; --good: #1a7340; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15191e; --ink: #e6e9ed; --faint: #9aa5b1; --line: #2e353d; --all: #3d638a; --refused: #f2705f; --good: #56c288; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 20px; margin: 48px 0 8px; padding-top: 16px; border-top: 1px solid var(--line); }
h3 { font-size: 16px; margin: 28px 0 8px; }
.lead, footer, small, .legend { color: var(--faint); }
footer { font-size: 14px; }
footer h2 { font-size: 16px; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 16px; margin: 16px 0; }
dl div { border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; }
dt { color: var(--faint); font-size: 14px; }
dd { margin: 0; font-size: 28px; font-weight: 600; }
dd small { display: block; font-size: 14px; font-weight: 400; }
svg { display: block; width: 100%; min-width: 560px; height: auto; }
svg text { fill: var(--faint); font: 12px system-ui, sans-serif; }
.grid { stroke: var(--line); }
rect.all { fill: var(--all); }
rect.refused { fill: var(--refused); }
.legend { font-size: 14px; margin: 0 0 4px; }
.swatch { display: inline-block; width: 12px; height: 12px; border-radius: 2px; margin-left: 12px; }
.swatch:first-child { margin-left: 0; }
.swatch.all { background: var(--all); }
.swatch.refused { background: var(--refused); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child { text-align: left; font-weight: 600; }
thead th { color: var(--faint); font-weight: 400; }
.key { font-family: ui-monospace, monospace; white-space: normal; overflow-wrap: anywhere; min-width: 160px; }
meter { width: 72px; height: 10px; vertical-align: middle; }
meter::-webkit-meter-bar { background: var(--line); border: 0; border-radius: 2px; }
meter::-webkit-meter-optimum-value { background: var(--refused); border-radius: 2px; }
.good { color: var(--good); }
.warning { border: 1px solid var(--refused); border-left-width: 6px; border-radius: 8px; padding: 12px 16px; margin: 16px 0; }
.sample { overflow-wrap: anywhere; }
@media print { :root { --paper: #fff; } section { break-inside: avoid; } }
`;
