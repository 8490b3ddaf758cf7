// Asked of an interpreter once: where its parts are. With two arguments it also makes the file of the second one from
// the first one, the shim.
const fs = require('fs');
const path = require('path');

if (process.argv.length > 2) fs.copyFileSync(process.argv[1], process.argv[2]);

const real = (paths) => [...new Set(paths.filter((one) => fs.existsSync(one)).map((one) => fs.realpathSync(one)))].sort();
const executable = fs.realpathSync(process.execPath);
const prefix = path.dirname(path.dirname(executable));
const maps = fs.readFileSync('/proc/self/maps', 'utf8').split('\n');
const mapped = maps.map((line) => line.split(/\s+/).slice(5).join(' ')).filter((file) => /^\/.*\.so(\.|$)/.test(file));
// Debian's own Node has some of its modules in files.
const shared = process.config.variables.node_builtin_shareable_builtins ?? [];
const modules = shared.length > 0 ? ['/usr/share/nodejs', '/usr/share/node_modules'] : [];
process.stdout.write(
  JSON.stringify({
    version: process.versions.node,
    executable,
    prefix,
    standard_library: real(modules),
    shared_library: real(mapped),
    packages: real([path.join(prefix, 'lib/node_modules'), '/usr/local/lib/node_modules', '/usr/lib/node_modules']),
  }),
);
