// Turns Markdown into HTML.
//
//     cloudfunc invoke markdown --data '# Hello' --content-type text/markdown
import { marked } from 'marked';

export function handler(event) {
  if (typeof event !== 'string') throw new TypeError('send the text with a content type such as text/markdown');
  return marked.parse(event);
}
