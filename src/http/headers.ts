/**
 * Headers of an answer, written out beforehand: each line led by a line break. uWebSockets.js takes them all as the
 * tail of one header's value, which costs a third of handing them over one by one. So this is the one place where
 * headers are made, and nothing passes it that could end a line.
 */
export type HeaderText = string & { readonly __brand: 'HeaderText' };

export type Header = readonly [name: string, value: string];

// RFC 9110 section 5.1 and 5.5, ASCII only: a line break in a value would be a header of the client's own making, or
// an answer of its own.
const NAME = /^[a-z0-9-]+$/;
const VALUE = /^[\t\x20-\x7e]*$/;

export const NO_HEADERS = '' as HeaderText;

/** Throws on what cannot be sent as a header. */
export function headerText(headers: Iterable<Header>): HeaderText {
  let text = '';
  for (const [name, value] of headers) {
    if (!NAME.test(name) || !VALUE.test(value)) throw new Error(`Not a header that can be sent: ${name}`);
    text += `\r\n${name}: ${value}`;
  }
  return text as HeaderText;
}

/** The value of a cookie in a `Cookie` header; undefined where there is none of that name. */
export function cookieOf(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}

export function joinHeaders(first: HeaderText, second: HeaderText): HeaderText {
  return (first + second) as HeaderText;
}
