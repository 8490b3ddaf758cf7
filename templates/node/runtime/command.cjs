// Runs the build command of a function, in a sandbox of a build. It runs as a function itself.
//
// {"command": ["make"], "env": {}, "packages": null, "variables": {}} copies the function's folder to 'function' in OUTPUT and
// runs the command there. The variables are the platform's, which those of the function override. The command's output is that
// of this process.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { constants } = require('node:os');
const path = require('node:path');

const OUTPUT = process.env.CLOUDFUNC_OUTPUT || '/var/output';
const PACKAGES = process.env.CLOUDFUNC_PACKAGES || '/opt/packages';
// Where the machine's own npm is seen; elsewhere the image has one.
const INSTALLER = '/opt/installer/npm';

exports.handler = (event) => {
  const folder = path.join(OUTPUT, 'function');
  fs.cpSync('code', folder, { recursive: true, verbatimSymlinks: true });
  const env = variables(event, folder);
  const [program, ...rest] = event.command;
  if (!program.includes('/') && !isOnPath(program, env.PATH)) {
    return { missing: { path: env.PATH, advice: advice(folder) } };
  }
  const { error, status, signal } = spawnSync(program, rest, { cwd: folder, env, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) return { refused: error.code === 'ENOENT' ? 'No such file or directory' : error.message };
  return signal ? { signal: constants.signals[signal] } : { code: status };
};

// Build tools are usually named where they are not installed from. A folder of packages of its own may have them.
function advice(folder) {
  if (fs.existsSync(path.join(folder, 'node_modules'))) return undefined;
  try {
    const { devDependencies } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    if (Object.keys(devDependencies).length === 0) return undefined;
  } catch {
    return undefined;
  }
  return 'devDependencies are not installed; name its package in dependencies';
}

function variables(event, folder) {
  const given = Object.entries(process.env).filter(([name]) => !name.startsWith('CLOUDFUNC_'));
  const tmp = path.join(OUTPUT, 'tmp');
  fs.mkdirSync(tmp);
  const found = { ...Object.fromEntries(given), ...event.variables, TMPDIR: tmp };
  const folders = [path.join(folder, 'node_modules/.bin')];
  if (event.packages) {
    // Beside the function's folder, where its modules look next.
    const tree = path.join(PACKAGES, event.packages);
    const modules = path.join(tree, 'node_modules');
    fs.symlinkSync(fs.existsSync(modules) ? modules : tree, path.join(OUTPUT, 'node_modules'));
    folders.push(path.join(OUTPUT, 'node_modules/.bin'));
  }
  const others = found.PATH || '/usr/bin:/bin';
  found.PATH = [...folders, programs(others), others].join(':');
  return { ...found, ...event.env };
}

// Makes a folder in which the function's interpreter has its usual name, and the machine's npm, where no other is found.
function programs(others) {
  const folder = path.join(OUTPUT, 'bin');
  fs.mkdirSync(folder);
  const node = path.join(folder, 'node');
  fs.symlinkSync(process.execPath, node);
  for (const name of ['npm', 'npx']) {
    const program = path.join(INSTALLER, `bin/${name}-cli.js`);
    if (isOnPath(name, others) || !fs.existsSync(program)) continue;
    fs.writeFileSync(path.join(folder, name), `#!/bin/sh\nexec '${node}' '${program}' "$@"\n`, { mode: 0o755 });
  }
  return folder;
}

function isOnPath(program, folders) {
  return folders.split(':').some((folder) => {
    try {
      fs.accessSync(path.join(folder, program), fs.constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
