// A page with a form, and a small JSON API below it: cookies, a redirect, and what a path has behind its beginning.
//
//     cloudfunc up --embedded --public-listen 127.0.0.1:8080
//     cloudfunc deploy functions/page          # then open http://127.0.0.1:8080/page
//
// On the platform's own port a browser puts pages into a sandbox, and their forms are refused.

const LONGEST_NAME = 50;

export function handler(event) {
  const { method } = event.requestContext.http;
  const rest = event.pathParameters?.rest ?? '';
  switch (`${method === 'HEAD' ? 'GET' : method} /page/${rest}`) {
    case 'GET /page/':
      return html(nameOf(event));
    case 'GET /page/api/greeting':
      // A value without a statusCode is answered with 200, as JSON.
      return { greeting: `Hello ${nameOf(event)}!` };
    case 'POST /page/name':
      return remember(form(event).get('name') ?? '');
    default:
      return { statusCode: 404, body: { problem: `there is nothing at ${event.rawPath}` } };
  }
}

function html(name) {
  const body = `<!doctype html>
<html lang="en">
<title>A page</title>
<h1>Hello ${escaped(name)}!</h1>
<form method="post" action="/page/name"><input name="name"> <button>That is my name</button></form>
<p><a href="/page/api/greeting">The same as JSON</a></p>
</html>
`;
  return { statusCode: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body };
}

// Keeps the name in the browser, and leads back to the page.
function remember(text) {
  const name = encodeURIComponent([...text.trim()].slice(0, LONGEST_NAME).join(''));
  return {
    statusCode: 303,
    headers: { location: '/page' },
    cookies: [`name=${name}; Path=/page; HttpOnly; SameSite=Lax`],
  };
}

function nameOf(event) {
  const cookie = event.cookies?.find((cookie) => cookie.startsWith('name='));
  try {
    return decodeURIComponent(cookie?.slice('name='.length) ?? '') || 'World';
  } catch {
    return 'World';
  }
}

function form(event) {
  const body = event.body ?? '';
  return new URLSearchParams(event.isBase64Encoded ? Buffer.from(body, 'base64').toString() : body);
}

function escaped(text) {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
