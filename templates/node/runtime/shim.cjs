// The guest's side of CloudFunc's runtime protocol 1, for Node 20 and later. Messages: see
// src/runtime/guest/protocol.rs of CloudFunc.
//
// One process, one thread: the function runs here, in Node's own event loop. Whoever started it is a small init
// (see src/language/node.rs): it reaps what the function leaves behind and ends everything when the host hangs up.
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const { Writable } = require('stream');
const { inspect } = require('util');

const PROTOCOL = 1;
const FEATURES = ['concurrent', 'log', 'http'];
const MAX_HEADER = 64 * 1024;
const MAX_BODY = 6 * 1024 * 1024;
// Of an error's text, in characters. `fit` cuts what escapes make longer than a header.
const MAX_TYPE = 256;
const MAX_MESSAGE = 4 * 1024;
const MAX_TRACE = 24 * 1024;
// Errors behind an error that are told.
const MAX_CAUSES = 8;

const TASK = process.env.CLOUDFUNC_TASK || '/var/task';
const RUN = process.env.CLOUDFUNC_RUN || '/run/cloudfunc';

// The way out that no function can replace.
const exitNow = process.reallyExit.bind(process);

// How long the host must have been silent after 'hello' for a sandbox that nobody waits for yet.
const SILENCE = 50;

/** The handler cannot be had, with a type of our own. */
class LoadError extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/** The handler's answer to an HTTP request is malformed. */
class ResponseInvalid extends Error {}

/** A handler's view of its invocation. */
class Context {
  #deadline;

  constructor(fields, body, deadline) {
    this.invocationId = fields.id;
    this.function = loaded.name;
    this.revision = loaded.revision;
    this.attempt = fields.attempt;
    this.headers = fields.http === undefined ? fields.headers : contextHeaders(fields.http, body);
    this.contentType = fields.content_type;
    this.body = body;
    this.#deadline = deadline;
  }

  /** Milliseconds until the invocation is killed. */
  remainingMs() {
    return Math.max(0, Math.floor(this.#deadline - performance.now()));
  }
}

// ---- frames

function frame(message, body) {
  const header = JSON.stringify(message);
  const length = Buffer.byteLength(header);
  const bytes = Buffer.allocUnsafe(8 + length + body.length);
  bytes.writeUInt32BE(length, 0);
  bytes.writeUInt32BE(body.length, 4);
  bytes.utf8Write(header, 8);
  if (body.length > 0) bytes.set(body, 8 + length);
  return bytes;
}

const NOTHING = Buffer.alloc(0);

/** Sends a frame in one system call, unless it is larger than the socket's buffer: the loop writes what is left. */
function send(message, body = NOTHING) {
  const bytes = frame(message, body);
  if (whose !== null) return sendInOrder(bytes);
  let written = 0;
  try {
    if (control._handle.fd >= 0) written = fs.writeSync(control._handle.fd, bytes);
  } catch (error) {
    if (error.code === 'EPIPE' || error.code === 'ECONNRESET') exitNow(0);
    if (error.code !== 'EAGAIN') throw error;
  }
  if (written < bytes.length) control.write(bytes.subarray(written));
}

/** Sends all of a frame before anything else is sent. The host reads all the time. */
function sendInOrder(bytes) {
  try {
    writeAll(control._handle.fd, bytes);
  } catch {
    exitNow(0); // the host is gone
  }
}

// Of a frame that has not come whole: its bytes, and how many of them are there.
let partial = null;
let filled = 0;

/** Takes what was read, and gives whole frames to `hear`. The chunk's memory is used again afterwards. */
function take(chunk) {
  while (chunk.length > 0) {
    if (partial === null) {
      const total = chunk.length < 8 ? 8 : lengthOf(chunk);
      if (chunk.length >= total) {
        hear(chunk.subarray(0, total));
        chunk = chunk.subarray(total);
        continue;
      }
      partial = Buffer.allocUnsafe(total);
      filled = 0;
    }
    const part = chunk.subarray(0, partial.length - filled);
    partial.set(part, filled);
    filled += part.length;
    chunk = chunk.subarray(part.length);
    if (filled < partial.length) return;
    const total = lengthOf(partial);
    if (total > partial.length) {
      // Only the lengths were there.
      const whole = Buffer.allocUnsafe(total);
      whole.set(partial);
      partial = whole;
    } else {
      const whole = partial;
      partial = null;
      hear(whole);
    }
  }
}

function lengthOf(bytes) {
  return 8 + bytes.readUInt32BE(0) + bytes.readUInt32BE(4);
}

// ---- output

const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** Writes all of it, also where somebody has made the descriptor one that does not wait. */
function writeAll(descriptor, bytes) {
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(fs.writeSync(descriptor, bytes));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(PAUSE, 0, 0, 0.1);
    }
  }
}

/**
 * A standard stream that has written when `write` returns: Node's own ones may still have something when the result
 * is sent, or when the process ends.
 */
class Output extends Writable {
  constructor(descriptor, fd) {
    super({ decodeStrings: true });
    this.descriptor = descriptor;
    this.fd = fd;
    this._type = 'pipe';
    this._isStdio = true;
  }

  _write(chunk, _, done) {
    try {
      const invocation = whose?.getStore();
      if (underWay.has(invocation)) log(invocation.id, this.fd, chunk);
      else writeAll(this.descriptor, chunk);
    } catch (error) {
      if (error.code === 'EPIPE') exitNow(0); // the host is gone
      done(error);
      return;
    }
    done();
  }

  // It outlives an invocation that ends it.
  end(chunk, encoding, done) {
    const callback = [chunk, encoding, done].find((one) => typeof one === 'function');
    if (chunk !== undefined && chunk !== null && chunk !== callback) this.write(chunk, typeof encoding === 'string' ? encoding : undefined);
    if (callback) process.nextTick(callback);
    return this;
  }

  destroy() {
    return this;
  }

  destroySoon() {}

  // What is held back would be the invocation's that lets it go.
  cork() {}

  uncork() {}
}

/** Sends output of an invocation that runs beside others. */
function log(id, fd, chunk) {
  for (let rest = chunk; rest.length > 0; rest = rest.subarray(MAX_BODY)) {
    send({ log: { id, stream: fd === 2 ? 'stderr' : 'stdout' } }, rest.subarray(0, MAX_BODY));
  }
}

/**
 * Makes the host's named pipes this process's stdout and stderr, also of the processes that it starts: these can be
 * opened again, by '/dev/stdout'. Node has no dup2; what is opened gets the lowest number that is free. False where
 * there are none, or nobody reads them.
 */
function usePipes() {
  const channels = ['stdout', 'stderr'];
  const { O_WRONLY, O_NONBLOCK } = fs.constants;
  try {
    // Without waiting for a reader: where this opens another pipe than the host's, there is none.
    for (const channel of channels) fs.closeSync(fs.openSync(`${RUN}/${channel}`, O_WRONLY | O_NONBLOCK));
  } catch {
    return false;
  }
  channels.forEach((channel, index) => {
    const fd = index + 1;
    fs.closeSync(fd);
    if (fs.openSync(`${RUN}/${channel}`, O_WRONLY) !== fd) throw new Error(`descriptor ${fd} is in use`);
    // A second one: a child process may make the first one a descriptor that does not wait.
    setOutput(channel, fs.openSync(`${RUN}/${channel}`, O_WRONLY), fd);
  });
  return true;
}

function setOutput(name, descriptor, fd) {
  const stream = new Output(descriptor, fd);
  Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => stream });
}

/** A connection that begins with its opening frame; `ready` is called when it is there. */
function connect(channel, options, ready) {
  const socket = net.connect({ path: `${RUN}/runtime.sock`, ...options });
  socket.once('connect', () => {
    socket.write(frame({ channel }, NOTHING));
    ready(socket);
  });
  socket.on('error', () => exitNow(socketsBegan ? 0 : 1));
  return socket;
}

let socketsBegan = false;

// ---- errors

/** Whatever was thrown, as the fields of an error message; its trace is cut to the function's own frames. */
function describe(thrown, kind) {
  const fields = { type: kind || typeOf(thrown), message: messageOf(thrown) };
  if (thrown === null || (typeof thrown !== 'object' && typeof thrown !== 'function')) {
    if (!kind) fields.type = 'NotAnError';
    const what = thrown === null || thrown === undefined ? thrown : `a ${typeof thrown}`;
    const words = thrown === null || thrown === undefined ? '' : `: ${fields.message}`;
    fields.message = `${what} was thrown${words}`.slice(0, MAX_MESSAGE).toWellFormed();
  }
  if (isError(thrown)) {
    const trace = traceOf(thrown, []);
    if (trace) fields.trace = trace.slice(0, MAX_TRACE).toWellFormed();
  }
  return fit(fields);
}

function isError(value) {
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
  } catch {
    return false;
  }
}

/** The name of an error's class, or of a thrown value's. */
function typeOf(thrown) {
  let name;
  try {
    if (thrown === null || (typeof thrown !== 'object' && typeof thrown !== 'function')) {
      name = thrown === null ? 'null' : typeof thrown;
    } else {
      const made = thrown.constructor?.name;
      name = isError(thrown) && thrown.name !== 'Error' ? thrown.name : made;
      if (name === 'Error' && /^(ERR_)?MODULE_NOT_FOUND$/.test(thrown.code)) name = 'ModuleNotFound';
    }
  } catch {
    // what its own getters throw
  }
  if (typeof name !== 'string' || name === '') name = 'Error';
  const short = name.length <= MAX_TYPE ? name : `${name.slice(0, MAX_TYPE - 1)}…`;
  return short.toWellFormed().replace(/\p{C}/gu, '\ufffd');
}

function messageOf(thrown) {
  let words;
  try {
    words = isError(thrown) ? String(thrown.message).replace(`\n${REQUIRED}`, '') : textOf(thrown);
  } catch {
    words = "(the error's own message threw another one)";
  }
  return words.slice(0, MAX_MESSAGE).toWellFormed();
}

function textOf(value) {
  return typeof value === 'string' ? value : inspect(value, { depth: 2, breakLength: Infinity });
}

/** The stack without Node's frames and ours, and the errors behind it. Empty where nothing of the function's is in it. */
function traceOf(error, above) {
  let text = '';
  let causes = [];
  try {
    // A class of the function's own has the name of its parent there.
    if (typeof error.stack === 'string') text = ownFrames(error.stack).replace(/^Error(?=[:\n]|$)/, typeOf(error));
    if (error.cause !== undefined) causes.push(['cause', error.cause]);
    if (Array.isArray(error.errors)) causes.push(...error.errors.map((one) => ['errors', one]));
  } catch {
    causes = [];
  }
  const path = [...above, error];
  for (const [name, cause] of path.length > MAX_CAUSES ? [] : causes.slice(0, MAX_CAUSES)) {
    let told = messageOf(cause);
    if (path.includes(cause)) told = 'an error that was told above';
    else if (isError(cause)) told = traceOf(cause, path) || `${typeOf(cause)}: ${told}`;
    text += `\n[${name}]: ${told}`;
  }
  return above.length === 0 ? text : text.replaceAll('\n', '\n  ');
}

function ownFrames(stack) {
  const lines = stack.split('\n');
  const own = lines.filter((line) => (/^\s+at /.test(line) ? !isOurs(line) : line !== REQUIRED));
  return own.join('\n');
}

// CommonJS says who required what.
const REQUIRED = `- ${__filename}`;

function isOurs(line) {
  return line.includes('node:internal/') || line.includes(__filename) || /\(?native:/.test(line);
}

/** Cuts the trace, then the message, until the header has room for them, however much escaping makes of them. */
function fit(fields) {
  while (Buffer.byteLength(JSON.stringify(fields)) > MAX_HEADER - 1024) {
    if (fields.trace !== undefined && fields.trace.length > 1024) {
      fields.trace = fields.trace.slice(0, fields.trace.length >> 1).toWellFormed();
    } else if (fields.message.length > 0) {
      fields.message = fields.message.slice(0, fields.message.length >> 1).toWellFormed();
    } else {
      break;
    }
  }
  return fields;
}

function print(fields) {
  const text = fields.trace || `${fields.type}: ${fields.message}`;
  process.stderr.write(`${text}\n`);
}

// ---- events and results

function eventOf(contentType, body) {
  const semicolon = contentType.indexOf(';');
  const essence = semicolon < 0 ? contentType : contentType.slice(0, semicolon);
  const kind = essence.trim().toLowerCase();
  if (kind === 'application/json' || kind.endsWith('+json')) {
    return body.length > 0 ? JSON.parse(body.utf8Slice(0, body.length)) : null;
  }
  if (kind.startsWith('text/')) return decode(charsetOf(semicolon < 0 ? '' : contentType.slice(semicolon)), body);
  return Buffer.from(body);
}

/** The first 'charset' of '; name=value; name="quoted"', as the door has read it; empty where there is none. */
function charsetOf(parameters) {
  while (parameters) {
    parameters = parameters.replace(/^[; \t]+/, '');
    const equals = parameters.indexOf('=');
    if (equals < 0) return '';
    const name = parameters.slice(0, equals);
    let value = '';
    let at = equals + 1;
    if (parameters[at] === '"') {
      for (at += 1; at < parameters.length && parameters[at] !== '"'; at += 1) {
        if (parameters[at] === '\\') at += 1;
        value += parameters[at] ?? '';
      }
      at += 1;
    } else {
      const end = parameters.indexOf(';', at);
      value = parameters.slice(at, end < 0 ? undefined : end);
      at = end < 0 ? parameters.length : end + 1;
    }
    if (name.toLowerCase() === 'charset') return value.trim().toLowerCase();
    parameters = parameters.slice(at);
  }
  return '';
}

function decode(charset, body) {
  switch (charset) {
    case '':
    case 'utf-8':
    case 'utf8':
      return body.utf8Slice(0, body.length);
    case 'us-ascii':
    case 'ascii':
      return body.latin1Slice(0, body.length).replace(/[\x80-\xff]/g, '\ufffd');
    case 'iso-8859-1':
    case 'latin1':
    case 'latin-1':
      return body.latin1Slice(0, body.length);
    case 'windows-1252':
      return body.latin1Slice(0, body.length).replace(/[\x80-\x9f]/g, (c) => WINDOWS_1252[c.charCodeAt(0) - 0x80]);
    case 'iso-8859-16':
      return body.latin1Slice(0, body.length).replace(/[\xa0-\xff]/g, (c) => ISO_8859_16[c.charCodeAt(0) - 0xa0]);
    case 'utf-32':
    case 'utf32':
    case 'utf-32le':
    case 'utf-32be':
      return decodeUtf32(charset, body);
    case 'utf-16':
    case 'utf16': {
      const isBig = body.length > 1 && body[0] === 0xfe && body[1] === 0xff;
      return new TextDecoder(isBig ? 'utf-16be' : 'utf-16le').decode(body);
    }
  }
  try {
    return new TextDecoder(charset, { ignoreBOM: true }).decode(body);
  } catch {
    return body.utf8Slice(0, body.length); // a charset that nobody knows
  }
}

// What some versions of Node decode as Latin-1, from 0x80 on, and what none decodes, from 0xa0 on.
const WINDOWS_1252 = '€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffdŽ\ufffd\ufffd‘’“”•–—˜™š›œ\ufffdžŸ';
const ISO_8859_16 =
  '\u00a0ĄąŁ€„Š§š©Ș«Ź\u00adźŻ°±ČłŽ”¶·žčș»ŒœŸżÀÁÂĂÄĆÆÇÈÉÊËÌÍÎÏĐŃÒÓÔŐÖŚŰÙÚÛÜĘȚßàáâăäćæçèéêëìíîïđńòóôőöśűùúûüęțÿ';

function decodeUtf32(charset, body) {
  let start = 0;
  let isBig = charset === 'utf-32be';
  if (!charset.endsWith('e') && body.length >= 4) {
    isBig = body.readUInt32BE(0) === 0xfeff;
    start = isBig || body.readUInt32LE(0) === 0xfeff ? 4 : 0;
  }
  let text = '';
  for (let at = start; at < body.length; at += 4) {
    const code = at + 4 > body.length ? -1 : isBig ? body.readUInt32BE(at) : body.readUInt32LE(at);
    const isValid = code >= 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    text += isValid ? String.fromCodePoint(code) : '\ufffd';
  }
  return text;
}

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
const JSON_TYPE = 'application/json';

/** Ends an invocation with what the handler returned. */
function finish(invocation, value) {
  if (!underWay.has(invocation)) return; // its invocation was answered with an error meanwhile
  let result;
  try {
    result = invocation.http === undefined ? resultOf(value) : responseOf(value, invocation.http.method);
  } catch (error) {
    if (error instanceof Misfit) return refuse(invocation, 'ResultNotSerializable', error.message);
    if (error instanceof ResponseInvalid) return refuse(invocation, 'ResponseInvalid', error.message);
    return answer(invocation, describe(error, 'ResultNotSerializable'));
  }
  const { type, http, body } = result;
  if (body.length > MAX_BODY) {
    const message = `the result has ${body.length} bytes, over the limit of ${MAX_BODY} (6 MiB)`;
    return answer(invocation, { type: 'ResultTooLarge', message });
  }
  underWay.delete(invocation);
  send({ result: { id: invocation.id, content_type: type, http } }, body);
}

/** A returned value's content type and bytes; throws a `Misfit` where it has none. */
function resultOf(value) {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new Misfit('the handler returned a string with half of a surrogate pair');
    return { type: TEXT, body: Buffer.from(value) };
  }
  const bytes = bytesOf(value);
  if (bytes) return { type: BYTES, body: bytes };
  const problem = typeof value === 'object' ? lazy(value) : undefined;
  if (problem) throw new Misfit(`the handler returned ${problem}`);
  return { type: JSON_TYPE, body: json(value) };
}

function bytesOf(value) {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return Buffer.from(value);
  return undefined;
}

/** The result is no JSON, and why. */
class Misfit extends Error {}

function json(value, where = '') {
  if (value === undefined || value === null) return Buffer.from('null');
  let text;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    const found = misfit(value, where, []);
    if (found) throw new Misfit(`the handler returned ${found}`);
    throw error; // what a `toJSON` or a getter of the function's threw
  }
  if (typeof value === 'object' || text === undefined) {
    const found = misfit(value, where, null);
    if (found) throw new Misfit(`the handler returned ${found}`);
  }
  return Buffer.from(text ?? 'null');
}

/**
 * Names everything in a value that JSON has no form for: `a bigint at .total, …`. JSON.stringify throws at some of it, without
 * saying where, and silently leaves out the rest. `above` is the path of objects, where a circle has to be found.
 */
function misfit(value, where, above) {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? null : `a string with half of a surrogate pair${at(where)}, which JSON cannot carry`;
    case 'bigint':
      return `a bigint${at(where)} that is not JSON: make it a string or a number`;
    case 'function':
      return `a function${at(where)} that is not JSON`;
    case 'symbol':
      return `a symbol${at(where)} that is not JSON`;
    case 'object':
      break;
    default:
      return null;
  }
  if (value === null || typeof value.toJSON === 'function') return null;
  if (above) {
    if (above.includes(value)) return `a value that contains itself${at(where)}: that is not JSON`;
    above.push(value);
  }
  let found = null;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && !found; index += 1) {
      const item = value[index];
      if (typeof item !== 'number') found = misfit(item, `${where}[${index}]`, above);
    }
  } else {
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      const problem = lazy(value, where);
      if (problem) return problem;
    }
    for (const key of Object.keys(value)) {
      const item = value[key];
      if (typeof item !== 'number') found = misfit(item, where + member(key), above);
      if (found) break;
    }
  }
  if (above) above.pop();
  return found;
}

function member(key) {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function at(where) {
  return where ? ` at ${where.length <= 200 ? where : `${where.slice(0, 199)}…`}` : '';
}

/** Names the kind of an object that JSON.stringify would make `{}` of, although there is something in it. */
function lazy(value, where = '') {
  if (value === null) return undefined;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === Array.prototype || prototype === null) return undefined;
  const place = at(where);
  if (value instanceof Map) return `a Map${place} that is not JSON: return Object.fromEntries(...) of it`;
  if (value instanceof Set) return `a Set${place} that is not JSON: return [...] of it`;
  if (value instanceof Promise) return `a Promise${place} that is not JSON: await it`;
  if (typeof value.next === 'function' && value[Symbol.asyncIterator]) {
    return `an async generator${place}, which is not run: return one value, such as a list of its items`;
  }
  if (typeof value.next === 'function' && value[Symbol.iterator]) {
    return `a generator${place}, which is not run: return one value, such as [...] of it`;
  }
  if (typeof value.pipe === 'function' || typeof value.getReader === 'function') {
    return `a stream${place}, which is not read: return what is in it`;
  }
  if (typeof Response === 'function' && value instanceof Response) {
    return `a Response${place}, which is not read: return what is in it, such as await response.text()`;
  }
  return undefined;
}

// ---- HTTP: events and answers of payload format 2.0; nothing of this runs for other invocations

// Headers of one connection; those of an answer are left out, as the platform writes its own.
const OF_A_CONNECTION = new Set([
  'connection', 'content-length', 'expect', 'keep-alive', 'proxy-authenticate', 'proxy-authorization',
  'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
]);
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NOT_IN_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const IS_TEXT = /^(text\/.*|.*\+json|.*\+xml|application\/(json|xml|javascript|x-www-form-urlencoded))$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The event of a request. */
function requestEvent({ id, http }, body) {
  const { cookie = '', ...headers } = joinedHeaders(http, ',');
  const cookies = cookie.split(';').map((part) => part.replace(/^[ \t]+|[ \t]+$/g, '')).filter(Boolean);
  const arrival = http.arrival ?? arrivalOf(id);
  const { method, path: rawPath, query: rawQueryString = '' } = http;
  const routeKey = arrival.route ?? '$default';
  const host = headers.host ?? '';
  // The name in front of a port; an address of IPv6 has colons of its own, in brackets.
  const domainName = host.startsWith('[') ? host.slice(0, host.indexOf(']') + 1) || host : host.split(':', 1)[0];
  const event = {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString,
    headers,
    requestContext: {
      accountId: 'anonymous',
      apiId: loaded.name,
      authentication: null,
      domainName,
      domainPrefix: domainName.split('.', 1)[0],
      http: {
        method,
        path: rawPath,
        protocol: arrival.protocol,
        sourceIp: arrival.from,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: id,
      routeKey,
      stage: '$default',
      time: timeOf(new Date(arrival.at_ms)),
      timeEpoch: arrival.at_ms,
    },
    isBase64Encoded: false,
  };
  if (cookies.length > 0) event.cookies = cookies;
  const parameters = parametersIn(rawQueryString);
  if (parameters.size > 0) event.queryStringParameters = Object.fromEntries(parameters);
  if (Object.keys(arrival.parameters ?? {}).length > 0) event.pathParameters = arrival.parameters;
  if (body.length > 0) {
    const [, contentType = ''] = http.headers.find(([name]) => name === 'content-type') ?? [];
    event.isBase64Encoded = !isText(contentType, body);
    event.body = event.isBase64Encoded ? body.base64Slice(0, body.length) : body.utf8Slice(0, body.length);
  }
  return event;
}

/** The headers by their names, repeated ones joined; cookies as they are joined in one header. */
function joinedHeaders(http, separator) {
  const headers = new Map();
  for (const [name, value] of http.headers) {
    const text = headerText(value);
    const before = headers.get(name);
    headers.set(name, before === undefined ? text : before + (name === 'cookie' ? '; ' : separator) + text);
  }
  // Not one by one: '__proto__' is a name as any other.
  return Object.fromEntries(headers);
}

/** The headers as other invocations have them. */
function contextHeaders(http, body) {
  return { ...joinedHeaders(http, ', '), 'content-length': String(body.length) };
}

/** A header's value, of which each character is a byte: UTF-8 where it can be, otherwise Latin-1. */
function headerText(value) {
  if (!/[^\x00-\x7f]/.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  return require('buffer').isUtf8(bytes) ? bytes.toString() : value;
}

/**
 * What is known of a request without it, such as one that an earlier version has stored: the time in its id, which is a
 * UUID of version 7.
 */
function arrivalOf(id) {
  return { protocol: 'HTTP/1.1', from: '0.0.0.0', at_ms: parseInt(id.replace('-', '').slice(0, 12), 16) };
}

/** As in '12/Mar/2020:19:03:58 +0000', in every locale. */
function timeOf(date) {
  const two = (number) => String(number).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${String(date.getUTCFullYear()).padStart(4, '0')}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

function parametersIn(query) {
  const parameters = new Map();
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = unquoted(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : unquoted(pair.slice(equals + 1));
    const before = parameters.get(name);
    parameters.set(name, before === undefined ? value : `${before},${value}`);
  }
  return parameters;
}

/**
 * A part of a query, decoded as API Gateway does: '+' is a space, as in forms. An incomplete escape stays as it is, and
 * bytes that are not UTF-8 are replaced.
 */
function unquoted(text) {
  const spaced = text.replaceAll('+', ' ');
  return spaced.includes('%') ? require('querystring').unescapeBuffer(spaced).toString() : spaced;
}

/** Tells whether a body is given as text, and not in base64: by its type, and as its bytes are UTF-8. */
function isText(contentType, body) {
  const semicolon = contentType.indexOf(';');
  const kind = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  return IS_TEXT.test(kind) && require('buffer').isUtf8(body);
}

/** A handler's answer to a request; throws a `ResponseInvalid`, and a `Misfit` for what is not JSON. */
function responseOf(value, method) {
  const problem = typeof value === 'object' ? lazy(value) : undefined;
  if (problem) throw new Misfit(`the handler returned ${problem}`);
  const isAnswer = value !== null && typeof value === 'object' && value.statusCode !== undefined;
  if (!isAnswer) {
    const { type, body } = resultOf(value);
    return { type, http: { status: 200, headers: [['content-type', type]] }, body };
  }
  const status = statusOf(value.statusCode);
  const headers = responseHeaders(value.headers ?? {}, method);
  const cookies = responseCookies(value.cookies ?? []);
  let body = responseBody(value.body, value.isBase64Encoded ?? false);
  if (status === 204 || status === 304) {
    body = NOTHING; // they have none in HTTP
  } else if (!headers.has('content-type')) {
    headers.set('content-type', JSON_TYPE);
  }
  const http = { status, headers: [...headers, ...cookies] };
  const length = Buffer.byteLength(JSON.stringify(http));
  // The frame has room for no more; the host has a limit of its own below.
  const limit = MAX_HEADER - 1024;
  if (length > limit) {
    throw new ResponseInvalid(`the headers of the answer have ${length} bytes as JSON, over the limit of ${limit}`);
  }
  return { type: JSON_TYPE, http, body };
}

function statusOf(value) {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  if (Number.isInteger(status) && status >= 200 && status <= 599) return status;
  throw new ResponseInvalid('`statusCode` of the answer is not an integer from 200 to 599');
}

function responseHeaders(given, method) {
  // A list, a Map and Headers are none: what is in them would be lost.
  if (typeof given !== 'object' || given[Symbol.iterator]) {
    throw new ResponseInvalid('`headers` of the answer is not an object');
  }
  const headers = new Map();
  const seen = new Set();
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue; // as in JSON
    const name = key.toLowerCase();
    if (!TOKEN.test(key)) {
      throw new ResponseInvalid(`the answer has a header named '${name}', which is not a name that HTTP allows`);
    }
    if (!(typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value))) {
      throw new ResponseInvalid(`the header '${name}' of the answer is not a text, a number or a boolean`);
    }
    const bytes = headerBytes(String(value), `the header '${name}'`);
    if (seen.has(name)) throw new ResponseInvalid(`the header '${name}' is in the answer twice, in different letters`);
    seen.add(name);
    // An answer to HEAD says the length that one to GET has.
    const isLength = name === 'content-length' && method === 'HEAD' && isCount(bytes);
    if (isLength || !OF_A_CONNECTION.has(name)) headers.set(name, bytes);
  }
  return headers;
}

/** Tells whether a text is a number of bytes, in digits only and of 64 bits. */
function isCount(text) {
  return /^\d{1,20}$/.test(text) && BigInt(text) < 2n ** 64n;
}

function responseCookies(given) {
  if (!Array.isArray(given) || !given.every((cookie) => typeof cookie === 'string')) {
    throw new ResponseInvalid('`cookies` of the answer is not a list of texts');
  }
  return given.map((cookie) => ['set-cookie', headerBytes(cookie, 'a cookie')]);
}

/** A header's value in UTF-8, each byte of which is a character. */
function headerBytes(value, what) {
  const text = Buffer.from(value).latin1Slice();
  if (!value.isWellFormed() || NOT_IN_A_VALUE.test(text)) {
    throw new ResponseInvalid(`${what} of the answer has a character that HTTP does not allow`);
  }
  return text;
}

/** The bytes of an answer's body: a text's, those of bytes as they are, and the JSON of anything else. */
function responseBody(body, isBase64) {
  if (typeof isBase64 !== 'boolean') {
    throw new ResponseInvalid('`isBase64Encoded` of the answer is neither true nor false');
  }
  if (body === undefined || body === null) return NOTHING;
  const bytes = bytesOf(body);
  if (isBase64) {
    const text = bytes ? bytes.latin1Slice() : body;
    const decoded = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined;
    // It skips what is not of the alphabet, and takes other ones.
    if (decoded === undefined || decoded.base64Slice() !== text) {
      throw new ResponseInvalid('`body` of the answer is not base64, although `isBase64Encoded` is true');
    }
    return decoded;
  }
  if (bytes) return bytes;
  if (typeof body !== 'string') return json(body, '.body');
  if (!body.isWellFormed()) throw new Misfit('the handler returned a string with half of a surrogate pair at .body');
  return Buffer.from(body);
}

// ---- the function

// The handler and what is known of it, once it is loaded.
let loaded = null;
// The invocations that are under way: each is the object of its fields, as a later attempt of the same one has its id.
const underWay = new Set();
// Where several may be at a time: whose code it is that runs.
let whose = null;

async function load(fields) {
  Object.assign(process.env, fields.env, fields.secrets);
  process.chdir(TASK);
  if (fields.concurrency > 1) whose = new (require('async_hooks').AsyncLocalStorage)();
  loaded = { name: fields.function, revision: fields.revision, handler: null, withContext: true };
  const dot = fields.handler.lastIndexOf('.');
  const [name, exported] = [fields.handler.slice(0, dot), fields.handler.slice(dot + 1)];
  if (dot <= 0 || !exported) {
    const message = `handler '${fields.handler}' is not of the form module.export, for example function.handler`;
    throw new LoadError('HandlerInvalid', message);
  }
  const file = find(name);
  const module = await read(file);
  loaded.handler = pick(module, exported, path.relative(TASK, file));
  loaded.withContext = takesContext(loaded.handler, fields.handler);
}

const EXTENSIONS = ['.mjs', '.cjs', '.js', '.ts', '.mts', '.cts'];

/** The file of a module by its name; the default one may be what package.json calls `main`. */
function find(name) {
  const isFile = (file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile();
  const named = EXTENSIONS.map((extension) => path.join(TASK, name + extension)).find(isFile);
  if (named) return named;
  const missing = `the function's folder has none of ${EXTENSIONS.map((extension) => name + extension).join(', ')}`;
  if (name !== 'function') throw new LoadError('ModuleNotFound', missing);
  let main;
  try {
    main = JSON.parse(fs.readFileSync(path.join(TASK, 'package.json'), 'utf8')).main;
  } catch (error) {
    if (error.code === 'ENOENT') throw new LoadError('ModuleNotFound', `${missing}, and no package.json with a "main"`);
    throw new LoadError('ModuleNotFound', `${missing}, and package.json cannot be read: ${error.message}`);
  }
  if (typeof main !== 'string') throw new LoadError('ModuleNotFound', `${missing}, and package.json has no "main"`);
  const file = path.join(TASK, main);
  const places = [file, `${file}.js`, `${file}.cjs`, `${file}.mjs`, path.join(file, 'index.js')];
  const there = places.find(isFile);
  if (!there) throw new LoadError('ModuleNotFound', `the "main" of package.json, ${main}, is not in the function's folder`);
  return there;
}

/** The module's exports. */
async function read(file) {
  const isTypeScript = /\.[mc]?ts$/.test(file);
  if (isTypeScript && !process.features.typescript) {
    throw new LoadError(
      'TypeScriptNotRun',
      `${path.basename(file)} is TypeScript, which Node ${process.versions.node} does not run: use Node 22.18 or later, ` +
        'for example `version = "24"` in cloudfunc.toml, or compile it to JavaScript before the deploy',
    );
  }
  useSourceMap(file);
  try {
    // Without the loader of ES modules, a start takes some milliseconds less.
    if (file.endsWith('.cjs')) return require(file);
    return await import(urlOf(file));
  } catch (error) {
    throw explained(error, file);
  }
}

function urlOf(file) {
  return require('url').pathToFileURL(file).href;
}

/** Maps cost something at every error: only where the handler's file has one. */
function useSourceMap(file) {
  const descriptor = fs.openSync(file);
  try {
    const size = fs.fstatSync(descriptor).size;
    const end = Buffer.alloc(Math.min(size, 512));
    fs.readSync(descriptor, end, 0, end.length, size - end.length);
    const hasMap = end.includes('sourceMappingURL=') || (size > 512 && fs.readFileSync(file).includes('\n//# sourceMappingURL='));
    if (hasMap) process.setSourceMapsEnabled(true);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The same error with what Node keeps to itself: where a syntax error is, and what to do about a wrong kind of module. */
function explained(error, file) {
  if (!(error instanceof SyntaxError)) return error;
  try {
    const isPlaced = PLACE.test(error.stack);
    // A frame of the function's own: it was not Node that could not read a module.
    if (!isPlaced && /^\s+at /m.test(ownFrames(error.stack))) return error;
    const shown = isPlaced ? ownFrames(error.stack) : shownByNode(file);
    const [, target, line] = shown.match(PLACE) ?? [];
    if (!target) return error;
    const what = error.message;
    error.message += ` (${path.relative(TASK, target)}, line ${line})`;
    if (/^(Cannot use import statement outside a module|Unexpected token 'export')/.test(what)) {
      error.message += ': name the file .mjs, or set "type": "module" in package.json';
    }
    error.stack = `${shown.slice(0, shown.lastIndexOf('SyntaxError: ')).trimEnd()}\n\nSyntaxError: ${error.message}`;
  } catch {
    // an error that cannot be changed is told as it is
  }
  return error;
}

const PLACE = /^(?:file:\/\/)?(\/[^\n]*):(\d+)\n/m;

/** Asks Node where a syntax error is, as in its main program. Nothing of a module runs before all is read. */
function shownByNode(file) {
  const code = `import(${JSON.stringify(urlOf(file))})`;
  const options = { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'ignore', 'pipe'] };
  const { stderr } = require('child_process').spawnSync(process.execPath, ['--input-type=module', '-e', code], options);
  const [start, end] = [stderr.search(PLACE), stderr.indexOf('SyntaxError: ')];
  return start < 0 ? '' : stderr.slice(start, end + 'SyntaxError: '.length);
}

/** The handler among a module's exports: its own, or one of what CommonJS exports. */
function pick(module, name, file) {
  const inner = module !== null && typeof module === 'object' && 'default' in module ? module.default : undefined;
  let handler = own(module, name) ?? own(inner, name);
  // `export default function` and `module.exports = function` have no other name.
  if (handler === undefined && (name === 'handler' || name === 'default')) handler = functionOf(module) ?? functionOf(inner);
  if (handler === undefined || handler === null) throw new LoadError('HandlerNotFound', notFound(module, inner, name, file));
  if (typeof handler !== 'function') {
    throw new LoadError('HandlerInvalid', `'${name}' of ${file} is ${typeof handler === 'object' ? 'an object' : `a ${typeof handler}`}, not a function`);
  }
  return handler;
}

function own(module, name) {
  const isHolder = module !== null && (typeof module === 'object' || typeof module === 'function');
  return isHolder && Object.prototype.hasOwnProperty.call(module, name) ? module[name] : undefined;
}

function functionOf(value) {
  return typeof value === 'function' ? value : undefined;
}

function notFound(module, inner, name, file) {
  const names = new Set();
  for (const holder of [module, inner]) {
    if (holder !== null && (typeof holder === 'object' || typeof holder === 'function')) {
      for (const key of Object.keys(holder)) if (typeof holder[key] === 'function') names.add(key);
    }
  }
  names.delete('module.exports');
  const there = [...names];
  if (there.length === 0) return `${file} exports no '${name}', and no function at all`;
  const near = there.find((key) => distance(key, name) <= 2) ?? (there.length === 1 ? there[0] : undefined);
  const list = there.slice(0, 10).join(', ') + (there.length > 10 ? ', …' : '');
  return `${file} exports no '${name}', but ${list}${near ? `: did you mean '${near}'?` : ''}`;
}

/** Counts the characters that have to be changed, put in or taken out to make one of the other. */
function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const same = one[i - 1].toLowerCase() === other[j - 1].toLowerCase() ? 0 : 1;
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + same));
    }
    row = next;
  }
  return row[other.length];
}

/**
 * Tells whether a handler may look at a context. JavaScript lets a function take more than it declares, so only a plain one of
 * a single parameter, or of none, is known not to.
 */
function takesContext(handler, name) {
  if (handler.length > 2) {
    throw new LoadError(
      'HandlerInvalid',
      `'${name}' must take (event) or (event, context): it takes ${handler.length} arguments, and there is no callback: ` +
        'return the result, or a promise of it',
    );
  }
  const text = Function.prototype.toString.call(handler);
  const plain = /^(async\s+)?(function\s*[\w$]*\s*\(\s*[\w$]*\s*\)|\(\s*[\w$]*\s*\)\s*=>|[\w$]+\s*=>|[\w$]+\s*\(\s*[\w$]*\s*\)\s*\{)/;
  return handler.length > 1 || !plain.test(text) || /\barguments\b|\[native code\]/.test(text);
}

function invoke(invocation, body) {
  underWay.add(invocation);
  if (whose === null) call(invocation, body);
  else whose.run(invocation, call, invocation, body);
}

function call(invocation, body) {
  let value;
  try {
    const event = invocation.http === undefined ? eventOf(invocation.content_type, body) : requestEvent(invocation, body);
    if (loaded.withContext) {
      const deadline = performance.now() + invocation.remaining_ms;
      value = (0, loaded.handler)(event, new Context(invocation, Buffer.from(body), deadline));
    } else {
      value = (0, loaded.handler)(event);
    }
    if (value !== null && typeof value === 'object' && typeof value.then === 'function') {
      const settled = (result) => finish(invocation, result);
      const failed = (error) => fail(invocation, error);
      if (value instanceof Promise) value.then(settled, failed);
      else Promise.resolve(value).then(settled, failed);
      return;
    }
  } catch (error) {
    fail(invocation, error);
    return;
  }
  finish(invocation, value);
}

function fail(invocation, error) {
  if (underWay.has(invocation)) answer(invocation, describe(error));
}

function refuse(invocation, type, message) {
  answer(invocation, { type, message: message.slice(0, MAX_MESSAGE).toWellFormed() });
}

function answer(invocation, fields) {
  underWay.delete(invocation);
  send({ error: { id: invocation.id, ...fields } });
}

/** An error that nobody has caught fails the invocation under way; the instance lives on, as with one that was caught. */
function uncaught(error) {
  const invocation = whose === null ? underWay.values().next().value : whose.getStore();
  if (underWay.has(invocation)) {
    fail(invocation, error);
  } else if (isLoading) {
    isLoading = false;
    send({ load_error: describe(error) });
  } else {
    print(describe(error));
  }
}

// ---- the guest

let isLoading = false;
let control;

/** Hears one frame of the host's. */
function hear(bytes) {
  const header = bytes.readUInt32BE(0);
  const message = JSON.parse(bytes.utf8Slice(8, 8 + header));
  if (message.invoke !== undefined && loaded?.handler) {
    invoke(message.invoke, bytes.subarray(8 + header));
  } else if (message.load !== undefined && loaded === null) {
    clearTimeout(silence);
    isLoading = true;
    load(message.load).then(ready, (error) => {
      if (!isLoading) return;
      isLoading = false;
      const own = error instanceof LoadError;
      send({ load_error: own ? fit({ type: error.kind, message: messageOf(error) }) : describe(error) });
    });
  } else {
    process.stderr.write(`the host sent '${Object.keys(message)[0]}', which nothing asked for\n`);
    exitNow(1);
  }
}

function ready() {
  if (!isLoading) return;
  isLoading = false;
  send({ ready: { context: loaded.withContext } });
}

let silence;

/** Makes the loader of ES modules for as long as the host says nothing: nobody waits for this sandbox then. */
function prepare() {
  import('data:text/javascript,').catch(() => {});
}

function hello(outputs) {
  socketsBegan = true;
  send({ hello: { protocol: PROTOCOL, language: 'node', pid: process.pid, features: FEATURES, ...outputs } });
  silence = setTimeout(prepare, SILENCE);
  silence.unref();
}

function main() {
  process.on('uncaughtException', uncaught);
  process.on('unhandledRejection', uncaught);
  const buffer = Buffer.allocUnsafeSlow(64 * 1024);
  const onread = {
    buffer,
    callback(count) {
      take(buffer.subarray(0, count));
      return true;
    },
  };
  control = connect('control', { onread }, () => {
    if (usePipes()) {
      hello({ outputs: 'fifo' });
      return;
    }
    let missing = 2;
    for (const [index, channel] of ['stdout', 'stderr'].entries()) {
      connect(channel, {}, (socket) => {
        socket.unref();
        setOutput(channel, socket._handle.fd, index + 1);
        missing -= 1;
        if (missing === 0) hello({});
      });
    }
  });
  control.on('end', () => exitNow(0));
  control.on('close', () => exitNow(0));
}

main();
