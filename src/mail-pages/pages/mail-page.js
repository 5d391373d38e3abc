/** The parts that the pages of mailed links have in common. */

/** The language of the browser. */
export const language = navigator.language.startsWith('zh') ? 'zh' : 'en';

const PROBLEMS = {
  en: {
    rate_limited: 'Too many attempts. Wait a minute and try again.',
    token: 'This link was used before, has expired, or is incomplete. Ask for a new mail.',
    failed: 'That did not work. Try again in a moment.',
  },
  zh: {
    rate_limited: '尝试次数过多，请稍等一分钟再试。',
    token: '此链接已使用、已过期或不完整。请重新申请邮件。',
    failed: '操作未成功，请稍后再试。',
  },
}[language];

const form = document.querySelector('form');
const button = form.querySelector('button');
const error = document.querySelector('#error');
// Browsers do not send the fragment to servers.
const token = new URLSearchParams(location.hash.slice(1)).get('token');

/**
 * Fills in the page and posts its form, with the token of the link, when it is submitted.
 * @param path of the API, relative to the page
 * @param texts of the elements with `data-text`, and `done`; `problems` by problem code or by field
 */
export function startPage(path, { problems, ...texts }) {
  document.documentElement.lang = language;
  document.title = texts.title;
  for (const element of document.querySelectorAll('[data-text]'))
    element.textContent = texts[element.dataset.text];
  if (token) form.hidden = false;
  else error.textContent = PROBLEMS.token;

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    error.textContent = '';
    button.disabled = true;
    try {
      const problem = await post(path);
      if (problem) error.textContent = explain(problem, { ...PROBLEMS, ...problems });
      else finish(texts.done);
    } catch {
      error.textContent = PROBLEMS.failed;
    } finally {
      button.disabled = false;
    }
  });
}

/** @returns the problem of the response, or null */
async function post(path) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Accept-Language': language },
    body: JSON.stringify({ token, ...Object.fromEntries(new FormData(form)) }),
  });
  return response.ok ? null : response.json();
}

function explain({ code, errors = [] }, problems) {
  const names = [code, ...errors.map(({ field }) => field)];
  return problems[Object.keys(problems).find((name) => names.includes(name)) ?? 'failed'];
}

function finish(done) {
  // Removes the token from the history.
  history.replaceState(null, '', location.pathname);
  form.hidden = true;
  document.querySelector('#done').textContent = done;
}
