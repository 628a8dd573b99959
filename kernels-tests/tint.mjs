// Tint (Dawn's WGSL compiler) over all shaders of a folder: node tint.mjs PACKAGES FOLDER
//
// PACKAGES has `webgpu` in its node_modules. The back end is Dawn's null one, which needs no driver: modules and pipelines
// are checked as on any other. Prints what is refused; exit code 0 all accepted, 1 something refused, 3 Tint cannot run.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [packages, folder] = process.argv.slice(2);

// the instance must outlive what is awaited: Dawn's events end with it
let instance;

async function open() {
  const path = createRequire(join(resolve(packages), 'package.json')).resolve('webgpu');
  const dawn = await import(pathToFileURL(path));
  Object.assign(globalThis, dawn.globals);
  instance = dawn.create(['backend=null']);
  const adapter = await instance.requestAdapter();
  return adapter.requestDevice();
}

setTimeout(() => {
  console.error('no answer within 120 s');
  process.exit(3);
}, 120_000);

const device = await open().catch((error) => {
  console.error(`${error.message ?? error}`.split('\n')[0]);
  process.exit(3);
});

let refused = 0;
for (const file of readdirSync(folder).filter((name) => name.endsWith('.wgsl')).sort()) {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: readFileSync(join(folder, file), 'utf8') });
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter((m) => m.type === 'error').map((m) => `${m.lineNum}:${m.linePos} ${m.message}`);
  // limits are checked with the pipeline; what is wrong with the module is said already
  device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const other = await device.popErrorScope();
  if (other && errors.length === 0) errors.push(other.message);
  errors.forEach((text) => console.log(`${file}: ${text}`));
  refused += errors.length > 0 ? 1 : 0;
}
device.destroy();
instance = undefined;
process.exit(refused > 0 ? 1 : 0);
