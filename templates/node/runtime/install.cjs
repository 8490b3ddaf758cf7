// Installs the packages of a function. It runs as a function itself, in a sandbox of a build that may write to OUTPUT.
//
// {"do": "describe"} answers what installed packages depend on; {"do": "install", …} has npm install what the files in
// 'requirements' ask for. What npm prints is passed on line by line.
'use strict';

const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const readline = require('readline');

const OUTPUT = process.env.CLOUDFUNC_OUTPUT || '/var/output';
// Where the machine's own npm is seen; elsewhere the image has one.
const INSTALLER = '/opt/installer/npm';
const MAX_LINES = 40;
const MAX_TEXT = 2000;
const MAX_NAME = 200;

// The first one counts, as for npm.
const LOCKS = ['npm-shrinkwrap.json', 'package-lock.json'];

exports.handler = (event) => ({ describe, install })[event.do](event);

function describe() {
  const { report, versions } = process;
  if (report) report.excludeNetwork = true;
  const libc = report?.getReport().header.glibcVersionRuntime;
  const version = npm()?.version;
  return {
    tool: version === undefined ? null : `npm ${version}`,
    target: {
      interpreter: `node ${versions.node.split('.')[0]}`,
      abi: versions.modules,
      architecture: os.machine?.() ?? os.arch(),
      c_library: libc ? `glibc ${libc}` : 'musl',
    },
  };
}

/** The program and its version: the first one that runs. Debian's own needs modules that are found from its own place only. */
function npm() {
  found ??= find();
  return found;
}

let found;

function find() {
  const own = path.join(path.dirname(path.dirname(fs.realpathSync(process.execPath))), 'lib/node_modules/npm');
  const places = [own, '/usr/share/nodejs/npm', INSTALLER, '/usr/local/lib/node_modules/npm', '/usr/lib/node_modules/npm'];
  for (const program of places.map((place) => path.join(place, 'bin/npm-cli.js')).filter((file) => fs.existsSync(file))) {
    const asked = spawnSync(process.execPath, [program, '--version'], { cwd: '/', encoding: 'utf8', env: environment('/nowhere') });
    if (asked.status === 0 && /^\d+\./.test(asked.stdout)) return { program, version: asked.stdout.trim() };
  }
  return undefined;
}

/** The variables of npm: nothing of what this machine's users have set counts. */
function environment(temporary) {
  const given = Object.entries(process.env).filter(([name]) => !/^(CLOUDFUNC_|npm_|NODE_ENV$|NODE_OPTIONS$|INIT_CWD$)/i.test(name));
  return {
    ...Object.fromEntries(given),
    PATH: `${path.dirname(process.execPath)}:${process.env.PATH}`,
    // What is downloaded is large, and has to be on the same disk.
    HOME: temporary,
    TMPDIR: temporary,
    npm_config_cache: path.join(temporary, 'cache'),
    npm_config_userconfig: path.join(temporary, 'npmrc'),
    npm_config_globalconfig: path.join(temporary, 'no-npmrc'),
    npm_config_logs_max: '0',
    npm_config_update_notifier: 'false',
    npm_config_fund: 'false',
    npm_config_audit: 'false',
    npm_config_progress: 'false',
    npm_config_color: 'false',
    npm_config_foreground_scripts: 'true',
    npm_config_fetch_retries: '2',
    npm_config_fetch_retry_mintimeout: '1000',
    npm_config_fetch_retry_maxtimeout: '5000',
    npm_config_fetch_timeout: '60000',
  };
}

async function install(event) {
  const [target, temporary] = [path.join(OUTPUT, 'packages'), path.join(OUTPUT, 'tmp')];
  const asked = path.join(process.cwd(), 'requirements');
  fs.mkdirSync(target);
  fs.mkdirSync(temporary);
  for (const name of fs.readdirSync(asked)) fs.copyFileSync(path.join(asked, name), path.join(target, name));
  const credentials = path.join(target, 'credentials');
  if (fs.existsSync(credentials)) fs.renameSync(credentials, path.join(temporary, 'npmrc'));
  const lock = LOCKS.find((name) => fs.existsSync(path.join(target, name)));
  // The platform's, the proxy's among them.
  const env = { ...environment(temporary), ...event.environment, ...sources(event, temporary) };
  const command = [npm().program, lock ? 'ci' : 'install', '--omit=dev'];
  const { lines, code, signal } = await run(command, { cwd: target, env, stdio: ['ignore', 'pipe', 'pipe'] });
  fs.rmSync(temporary, { recursive: true, force: true });
  if (code !== 0) {
    const searched = (name) => places(event, target, name);
    return { failed: brokenLock(target, lock) ?? reason(lines, lock, code, signal, searched), away: away(lines, event) };
  }
  const packages = installed(target);
  for (const name of fs.readdirSync(target)) {
    if (name !== 'node_modules') fs.rmSync(path.join(target, name), { recursive: true, force: true });
  }
  return { installed: packages };
}

/** Returns the sources of packages. A password is not among the arguments, which every user of the machine sees. */
function sources(event, temporary) {
  const env = {};
  if (event.no_index) env.npm_config_offline = 'true';
  if (event.index) {
    const url = new URL(event.index);
    const [user, password] = [url.username, url.password].map(decodeURIComponent);
    url.username = '';
    url.password = '';
    if (!url.pathname.endsWith('/')) url.pathname += '/';
    env.npm_config_registry = url.href;
    const place = `//${url.host}${url.pathname}`;
    const line = user ? `${place}:_auth=${Buffer.from(`${user}:${password}`).toString('base64')}` : `${place}:_authToken=${password}`;
    if (user || password) fs.appendFileSync(path.join(temporary, 'npmrc'), `${line}\n`, { mode: 0o600 });
  }
  if (event.certificates) {
    const file = path.join(process.cwd(), event.certificates);
    env.npm_config_cafile = file;
    env.NODE_EXTRA_CA_CERTS = file;
  }
  return env;
}

// Files that are gone with the build, and how npm is called.
const OF_NO_USE = /^npm (error|ERR!|warn|WARN)( A complete log of| Log files were| For a full report|.*eresolve-report\.txt| *$)/;
const MANUAL = /^npm (error|ERR!) (Clean install a project|Usage:)/;

async function run(command, options) {
  const child = spawn(process.execPath, command, options);
  const lines = [];
  const hear = async (stream) => {
    let isManual = false;
    for await (const line of readline.createInterface({ input: stream, crlfDelay: Infinity })) {
      isManual ||= MANUAL.test(line);
      if (isManual || line.trim() === '' || OF_NO_USE.test(line)) continue;
      console.log(line.trimEnd());
      lines.push(line.trimEnd());
    }
  };
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const [end] = await Promise.all([ended, hear(child.stdout), hear(child.stderr)]);
  return { lines, ...end };
}

/** The names and versions of all packages, as npm has them in its list of what it installed. */
function installed(target) {
  const list = path.join(target, 'node_modules/.package-lock.json');
  if (!fs.existsSync(list)) return [];
  const found = Object.entries(JSON.parse(fs.readFileSync(list, 'utf8')).packages ?? {});
  return found.map(([place, one]) => ({
    name: String(one.name ?? place.slice(place.lastIndexOf('node_modules/') + 13)).slice(0, MAX_NAME),
    version: String(one.version ?? 'unknown').slice(0, MAX_NAME),
  }));
}

// ---- why it failed

/** Returns what npm says of its error, with its code; older versions call it otherwise. */
function said(lines) {
  const own = lines.map((line) => line.match(/^npm (?:error|ERR!)(?: (.*))?$/)).filter(Boolean).map((match) => match[1] ?? '');
  const code = own.map((line) => line.match(/^code (\S+)$/)?.[1]).find(Boolean);
  return { code, told: own.filter((line) => !/^code \S+$/.test(line)) };
}

const ADVICE =
  /^(Fix the upstream|this command with --force|to accept an incorrect|In most cases|a package version that|This is a problem related|If you are behind|network settings|Note that you can|tarball, folder|It was specified as|See |\/\S+-report\.txt|errno |syscall |node_modules\/\S+$|While resolving: undefined@)/;

// What node-gyp says of itself.
const OF_GYP = /^gyp (info|http|verb|(WARN|ERR!) (stack +at |System |command |cwd |node |node-gyp |\$npm_|not ok))/;

const ANEW = '`npm install --package-lock-only` makes it anew';

/** Why a lock is no JSON. npm itself treats it as one that is missing. */
function brokenLock(target, lock) {
  if (!lock) return undefined;
  try {
    JSON.parse(fs.readFileSync(path.join(target, lock), 'utf8').replace(/^\uFEFF/, ''));
    return undefined;
  } catch (error) {
    return `${lock} is not valid JSON: ${error.message.replace(/\s+/g, ' ')}; ${ANEW}`.slice(0, MAX_TEXT);
  }
}

/** Where npm has looked for a package. */
function places(event, target, name) {
  const file = path.join(target, '.npmrc');
  const settings = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : [];
  const hasKey = (key) => settings.some((line) => line.split('=')[0].trim() === key);
  const scope = name.startsWith('@') ? name.split('/')[0] : undefined;
  if (scope && hasKey(`${scope}:registry`)) return `the registry that .npmrc names for ${scope}`;
  return !event.index && hasKey('registry') ? 'the registry that .npmrc names' : event.searched;
}

/** The reason in a line: npm's own words without its advice, which does not fit here. */
function reason(lines, lock, code, signal, searched) {
  const { code: kind, told } = said(lines);
  const text = told.join('\n');
  const clean = told.map((line) => line.replace(/^(404|notarget|network|ERESOLVE|[A-Z]{4,}) +/, '').trim());
  const useful = clean.filter((line) => line !== '' && line !== kind && !ADVICE.test(line));
  const matched = (pattern) => text.match(pattern)?.[1];
  let why = useful.join('; ').replaceAll(':; ', ': ');
  if (kind === 'E404') {
    const name = matched(/'([^'\s]+)' (?:is not in|could not be found)/);
    if (name) why = `the registry has no package ${name}; npm has searched ${searched(name)}`;
  } else if (kind === 'ETARGET') {
    const line = useful.find((one) => one.startsWith('No matching version'));
    const name = line?.match(/found for (\S+)/)?.[1];
    why = name ? `${line.replace(/\.$/, '')}; npm has searched ${searched(name)}` : why;
  } else if (kind === 'EUSAGE' && lock) {
    const wrong = useful.filter((line) => /^(Missing|Invalid): /.test(line));
    const named = wrong.slice(0, MAX_LINES).join('; ').slice(0, MAX_TEXT / 2);
    if (wrong.length > 0) why = `${lock} does not fit package.json: ${named}; ${ANEW}`;
  } else if (kind === 'ENOTCACHED') {
    why = 'the platform allows no registry of npm (--build-npm-registry is none); pack node_modules with the function';
  } else if (text.includes('command failed')) {
    // The script of a package: what it printed comes before, or after.
    const name = matched(/^path .*node_modules\/(.+)$/m) ?? 'a package';
    const printed = lines.filter((line) => !/^npm (error|ERR!|warn|WARN|notice)|^> /.test(line) && !OF_GYP.test(line));
    const ran = matched(/^command (?:sh|\/bin\/sh|bash) -c (.+)$/m);
    const after = useful.filter((line) => !/^(path|command) |^command failed/.test(line));
    why = [`the script of ${name} failed${ran ? ` (${ran})` : ''}`, ...[...printed, ...after].slice(-10)].join('; ');
  }
  if (signal) why = `npm was ended by ${signal}, as is done when memory is short`;
  return (why || lines.slice(-3).join('; ') || `npm ended with code ${code}`).slice(0, MAX_TEXT);
}

const NO_NETWORK =
  /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EACCES|EPERM|ERR_SOCKET_TIMEOUT|FETCH_ERROR|E5\d\d|E429)$/;
const NO_TRUST = /CERT|VERIFY|ERR_TLS|ERR_SSL|EPROTO/;

/** Why the registry did not answer, if nothing else is wrong. */
function away(lines, event) {
  const { code, told } = said(lines);
  if (!code) return null;
  const isNetwork = NO_NETWORK.test(code) && told.some((line) => /request to |failed, reason|network |\bGET http|5\d\d |429 /.test(line));
  const isRefused = /^E40[13]$/.test(code) && event.index;
  if (!isNetwork && !NO_TRUST.test(code) && !isRefused) return null;
  const line = told.find((one) => /request to | - GET /.test(one));
  return (line ? line.replace(/^.*?(request to |\d{3} )/, '$1') : `${code}: ${told.find((one) => one !== '') ?? ''}`).trim();
}
