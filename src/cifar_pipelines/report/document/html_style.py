"""The look of the HTML page, on a screen and on paper.

Very wide tables are printed on pages that are turned: a browser would else shrink every page until they fit.
"""

STYLE = """\
:root { --ink: #222; --soft: #666; --line: #ddd; --tint: #f6f7f9; --accent: #0072b2; --paper: white; --warm: #fff8e6; color-scheme: light dark; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --soft: #a5a5a5; --line: #444; --tint: #262a30; --accent: #6cb8ee; --paper: #16191d; --warm: #33290f; }
  figure img { background: white; border-radius: 4px; }
}
html { background: var(--paper); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 1.5rem 1.5rem 4rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
header { border-bottom: 2px solid var(--ink); margin-bottom: 1.5rem; }
header h1 { font-size: 1.8rem; line-height: 1.25; margin: 0 0 .3rem; }
header p { color: var(--soft); margin: 0 0 .6rem; }
nav { background: var(--tint); border-radius: 6px; padding: .8rem 1.2rem; font-size: .92rem; }
nav h2 { font-size: 1rem; margin: 0; border: 0; padding: 0; }
nav ol { columns: 2; column-gap: 2.5rem; list-style: none; padding: 0; margin: .4rem 0 0; }
nav li { break-inside: avoid; margin: .15rem 0; }
h2 { font-size: 1.4rem; margin: 2.6rem 0 .6rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.12rem; margin: 1.7rem 0 .4rem; }
h4, h5, h6 { font-size: 1rem; margin: 1.3rem 0 .3rem; }
p, ul { margin: .5rem 0 .8rem; }
li { margin: .25rem 0; }
main p, main li { max-width: 52rem; overflow-wrap: anywhere; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
code { font: .88em "DejaVu Sans Mono", Consolas, Menlo, monospace; background: var(--tint); padding: .05em .25em;
  border-radius: 3px; overflow-wrap: anywhere; }
.missing { background: var(--warm); border-left: 4px solid #e69f00; padding: .1rem .8rem; margin: .8rem 0; }
pre { font: .8rem/1.4 "DejaVu Sans Mono", Consolas, Menlo, monospace; overflow-x: auto; margin: .4rem 0 .7rem; }
.table { overflow-x: auto; margin: .8rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .88rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { border-bottom: 1.5px solid var(--ink); vertical-align: bottom; }
tbody tr:hover { background: var(--tint); }
.number { text-align: right; }
.wide table { font-size: .8rem; }
.very-wide table { font-size: .74rem; }
.wide th, .wide td { padding: .25rem .4rem; }
.very-wide th, .very-wide td { padding: .25rem .35rem; }
td, td code { overflow-wrap: break-word; }
td:first-child wbr { display: none; }
figure { margin: 1rem 0 1.4rem; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .88rem; margin-top: .3rem; }
@media (max-width: 46rem) { nav ol { columns: 1; } }
@page { size: A4; margin: 18mm 15mm; @bottom-right { content: counter(page) " / " counter(pages); font-size: 8pt; } }
@page turned { size: A4 landscape; }
@media print {
  body { font-size: 10pt; max-width: none; padding: 0; }
  h2, h3, h4, h5, h6 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  thead { display: table-header-group; }
  .table { overflow: visible; }
  table { font-size: 8.5pt; }
  pre { white-space: pre-wrap; font-size: 8pt; }
  .wide table { font-size: 7.5pt; }
  .very-wide table { font-size: 8pt; }
  .very-wide, p:has(+ .very-wide), :is(h2, h3, h4):has(+ .very-wide, + p + .very-wide) { page: turned; }
  th, td { padding: .15rem .2rem; }
  th { overflow-wrap: normal; }
  figure img { max-height: 10.5cm; width: auto !important; }
  figure img.high { max-height: 16.5cm; }
}
"""
