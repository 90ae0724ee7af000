import { Store } from './Store.ts';

export const PAGES = ['discover', 'matches', 'you'] as const;
export type Page = (typeof PAGES)[number];

/** Which page is shown, as the part after `#/`. */
export const route = new Store<{ page: Page }>({ page: read() });

addEventListener('hashchange', () => {
  route.set({ page: read() });
  scrollTo(0, 0);
});

export function go(page: Page): void {
  location.hash = `#/${page}`;
}

function read(): Page {
  const name = location.hash.replace(/^#\//, '');
  return PAGES.find((page) => page === name) ?? 'discover';
}
