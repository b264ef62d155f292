// Installs the Chromium that e2e/auth/chromium/package-lock.json pins, and the libraries that come with it, beside the
// path that is given: node scripts/install_chromium.mjs .cache/chromium/153.0.0/chromium
import {execFileSync} from "node:child_process";
import {chmodSync, copyFileSync, createReadStream, createWriteStream, mkdirSync, renameSync, rmSync} from "node:fs";
import {dirname, join} from "node:path";
import {pipeline} from "node:stream/promises";
import {createBrotliDecompress} from "node:zlib";

const target = process.argv[2];
const dir = dirname(target);
rmSync(dir, {recursive: true, force: true});
mkdirSync(dir, {recursive: true});
for (const name of ["package.json", "package-lock.json", ".npmrc"]) {
  copyFileSync(join("e2e/auth/chromium", name), join(dir, name));
}
// Its scripts are not run: they fetch nothing that is needed here.
execFileSync("npm", ["ci", "--ignore-scripts", "--loglevel=error"], {cwd: dir, stdio: "inherit"});

const packed = join(dir, "node_modules/@sparticuz/chromium/bin");
for (const [from, to] of [["chromium.br", "chromium.new"], ["al2023.tar.br", "libraries.tar"]]) {
  await pipeline(createReadStream(join(packed, from)), createBrotliDecompress(), createWriteStream(join(dir, to)));
}
execFileSync("tar", ["xf", "libraries.tar"], {cwd: dir, stdio: "inherit"});
rmSync(join(dir, "libraries.tar"));
rmSync(join(dir, "node_modules"), {recursive: true});
chmodSync(join(dir, "chromium.new"), 0o755);
renameSync(join(dir, "chromium.new"), target);
